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
            self._tokenizer = AutoTokenizer.from_pretrained(str(model), local_files_only=True)
        except Exception as error:  # transformers raises whatever its parsers raise
            raise JobError(f"{model}: transformers cannot load its tokenizer: {error}") from error

    def tokenizer_json(self) -> bytes:
        """The bytes of tokenizer.json, for the fingerprint."""
        return self._path.read_bytes()

    def _find_chat_template(self) -> str:
        """That of chat_template.jinja, else of tokenizer_config.json (transformers' order); "": none."""
        template: object = self._tokenizer.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        return template if isinstance(template, str) else ""

    def has_chat_template(self) -> bool:
        """True for a model to chat with."""
        return self._find_chat_template() != ""

    def chat_template(self) -> str:
        """The chat template; an error if the model has none."""
        template = self._find_chat_template()
        if not template:
            raise JobError(f"{self._path.parent}: has no chat template, which this task's template needs")
        return template

    def _declared_ends(self, name: str) -> set[int]:
        """eos_token_id of a file of the model directory: a number or a list."""
        path = self._path.with_name(name)
        if not path.is_file():
            return set()
        try:
            value = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
        except (ValueError, AttributeError) as error:
            raise JobError(f"{path}: is no JSON object: {error}") from error
        ids = value if isinstance(value, list) else [] if value is None else [value]
        for token in ids:
            if type(token) is not int or token < 0:
                raise JobError(f"{path}: eos_token_id holds {token!r}, expected token ids")
        return set(ids)

    def stop_tokens(self) -> list[int]:
        """What ends an answer: the end tokens of generation_config.json (else config.json) and tokenizer."""
        ends = self._declared_ends("generation_config.json") or self._declared_ends("config.json")
        own: int | None = self._tokenizer.eos_token_id
        return sorted(ends if own is None else ends | {own})

    def chat(self, message: str) -> str:
        """The text of a conversation with one user message, up to where the answer begins."""
        template = self.chat_template()
        try:
            text = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": message}],
                chat_template=template,
                tokenize=False,
                add_generation_prompt=True,
                date_string=TEMPLATE_DATE,
            )
        except Exception as error:  # a template may raise anything, its own words among them
            raise JobError(f"{self._path.parent}: its chat template fails: {error}") from error
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

    def vocabulary(self, with_special: bool = True) -> list[bytes] | None:
        """The bytes of every token id, or None for a tokenizer of a kind not known here.

        Special tokens stand for no bytes, unless with_special.
        """
        content = json.loads(self.tokenizer_json())
        to_bytes = token_bytes.of_decoder(content.get("decoder"))
        if to_bytes is None:
            return None
        added = {
            int(entry["id"]): "" if entry.get("special") and not with_special else entry["content"]
            for entry in content.get("added_tokens", [])
        }
        vocabulary = [b""] * len(self._tokenizer)
        for token, index in self._tokenizer.get_vocab().items():
            vocabulary[index] = added[index].encode() if index in added else to_bytes(token)
        return vocabulary
