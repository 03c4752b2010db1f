"""From text to token ids, as lm-evaluation-harness does it, and the bytes that each token stands for.

The tokenizer is transformers' (without PyTorch), loaded from the model directory alone: no network.
"""

import json
import os
from pathlib import Path

from cola_jobs import token_bytes
from cola_jobs.progress import JobError

# before transformers is imported: no advice about PyTorch, no look at the network
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ["HF_HUB_OFFLINE"] = "1"

from transformers import AutoTokenizer

# Llama 3's template prints today's date into every prompt unless it is given one; this is its own default
TEMPLATE_DATE = "26 Jul 2024"


class TextEncoder:
    """The tokenizer and chat template of one model directory."""

    def __init__(self, model: Path) -> None:
        self._path = model / "tokenizer.json"
        if not self._path.is_file():
            raise JobError(f"{model}: has no tokenizer.json; is it a Hugging Face model directory?")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(str(model))
        except Exception as error:  # transformers raises whatever its parsers raise
            raise JobError(f"{model}: transformers cannot load its tokenizer: {error}") from error

    def tokenizer_json(self) -> bytes:
        """The bytes of tokenizer.json, for the fingerprint."""
        return self._path.read_bytes()

    def chat_template(self) -> str:
        """The chat template; an error if the model has none."""
        template: object = self._tokenizer.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        if not isinstance(template, str) or not template:
            raise JobError(f"{self._path.parent}: has no chat template, which this task's score rule needs")
        return template

    def chat(self, message: str) -> str:
        """The text of a conversation with one user message, up to where the answer begins."""
        text = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": message}],
            chat_template=self.chat_template(),
            tokenize=False,
            add_generation_prompt=True,
            date_string=TEMPLATE_DATE,
        )
        return str(text)

    def encode(self, text: str, chat: bool = False) -> list[int]:
        """Token ids. The begin-of-text token is added where the tokenizer does so, but never a second one."""
        begin = self._tokenizer.bos_token
        special = not chat and not (begin and text.startswith(begin))
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=special)
        return ids

    def encode_pair(self, context: str, continuation: str, chat: bool) -> tuple[list[int], list[int]]:
        """Ids of the context, and of what the continuation adds to it.

        Blanks at the context's end go to the continuation: a tokenizer joins a blank with the word after it.
        Both are encoded together, so that the cut between them is where the tokenizer puts it. A conversation
        keeps its end, which its template chose.
        """
        if not chat:
            kept = context.rstrip()
            context, continuation = kept, context[len(kept) :] + continuation
        prompt = self.encode(context, chat)
        return prompt, self.encode(context + continuation, chat)[len(prompt) :]

    def vocabulary(self) -> list[bytes] | None:
        """The bytes of every token id, or None for a tokenizer of a kind not known here."""
        content = json.loads(self.tokenizer_json())
        to_bytes = token_bytes.of_decoder(content.get("decoder"))
        if to_bytes is None:
            return None
        added = {int(entry["id"]): entry["content"] for entry in content.get("added_tokens", [])}
        vocabulary = [b""] * len(self._tokenizer)
        for token, index in self._tokenizer.get_vocab().items():
            vocabulary[index] = added[index].encode() if index in added else to_bytes(token)
        return vocabulary
