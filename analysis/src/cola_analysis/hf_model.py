"""A Hugging Face model whose layers run in the order of a chain: what `cola-hf-loop` times.

The way published code does it: the list of layer modules is replaced by the chain's and the model's own
forward is called, so position embeddings, masks, attention and numbers are those of the installed
transformers. A layer that occurs twice is put in as two views which share weights and differ in `layer_idx`,
where they keep keys and values: with one place for both, the second pass would read the first one's.

Evaluates one request at a time. Knows nothing of lines or files. Needs torch and transformers, which
`jobs/setup.sh compare` installs.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, DynamicCache

from cola_analysis.hf_requests import Answer, Request, check_vocabulary

ATTENTION = ("sdpa", "eager")
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
Dtype = Literal["f32", "bf16"]
TIMING_PROMPT = 128  # tokens of the request that chooses the attention: about a multiple-choice question
TIMING_NEW_TOKENS = 8
TIMING_ROUNDS = 3  # the fastest counts, since another process can only slow one down


class ModelError(Exception):
    """A model that cannot be run as chains; the text says why."""


class ChainModel:
    """A model of transformers and its layers, ready to be run in any order.

    attention: "sdpa", "eager", or "auto", which times both here and takes the faster one.
    """

    def __init__(self, path: str | Path, dtype: Dtype = "f32", attention: str = "auto") -> None:
        if not (Path(path) / "config.json").is_file():
            raise ModelError(f"{path}: no config.json; --model names a Hugging Face model directory")
        first = ATTENTION[0] if attention == "auto" else attention
        self.model: Any = AutoModelForCausalLM.from_pretrained(
            path, dtype=DTYPES[dtype], attn_implementation=first, local_files_only=True
        )
        self.config = self.model.config
        _check_full_attention(self.config)
        self.layers: list[Any] = list(self.model.model.layers)
        self.n_layers = len(self.layers)
        self.attention_seconds: dict[str, float] = {}
        self._views: dict[tuple[int, int], Any] = {}
        if attention == "auto":
            self._choose_attention()

    @property
    def attention(self) -> str:
        """The attention in use: "sdpa" or "eager"."""
        return str(self.config._attn_implementation)

    def set_chain(self, chain: list[int]) -> None:
        """Makes the model's forward run these layers in this order."""
        stack = torch.nn.ModuleList(self._view(layer, at) for at, layer in enumerate(chain))
        self.model.model.layers = stack
        # what the forward of transformers reads: how many, and of which kind each is
        self.config.num_hidden_layers = len(chain)
        if getattr(self.config, "layer_types", None) is not None:
            self.config.layer_types = ["full_attention"] * len(chain)

    @torch.inference_mode()
    def evaluate(self, request: Request) -> tuple[Answer, float]:
        """The answer and the seconds from tokens to answer; RequestError for what the model does not have."""
        check_vocabulary(request, self.config.vocab_size, self.config.max_position_embeddings)
        run: Callable[[Request], Answer]
        run = {"next": self._next, "loglik": self._loglik, "generate": self._generate}[request.score]
        began = time.perf_counter()
        self.set_chain(request.chain)
        answer = run(request)
        return answer, time.perf_counter() - began

    def _view(self, layer: int, position: int) -> Any:
        """The layer as it stands at a chain position: its weights, and a place of its own in the cache."""
        key = (layer, position)
        if key not in self._views:
            view = _share(self.layers[layer])
            view.self_attn = _share(view.self_attn)
            view.self_attn.layer_idx = position
            self._views[key] = view
        return self._views[key]

    def _hidden(self, tokens: list[list[int]], cache: DynamicCache | None = None) -> torch.Tensor:
        """Normalised hidden states [rows, tokens, hidden]; with a cache, of the tokens after those in it."""
        output = self.model.model(
            input_ids=torch.tensor(tokens), past_key_values=cache, use_cache=cache is not None
        )
        hidden: torch.Tensor = output.last_hidden_state
        return hidden

    def _next(self, request: Request) -> Answer:
        hidden = self._hidden([request.prompt])
        row = self.model.lm_head(hidden[0, -1:])[0].float()
        return Answer(
            logits=row[request.tokens].tolist(),
            logsumexp=row.logsumexp(0).item(),
            argmax=int(row.argmax()),
            finite=bool(row.isfinite().all()),
        )

    def _loglik(self, request: Request) -> Answer:
        """One padded batch, as lm-evaluation-harness does it.

        Padding is on the right, where causal attention keeps it from everything that is scored, so there is
        no mask. The last token of a continuation predicts nothing and is left out; rows that are then equal,
        as all are for continuations of one token, are computed once.
        """
        inputs = [request.prompt + continuation[:-1] for continuation in request.continuations]
        rows = [list(tokens) for tokens in dict.fromkeys(tuple(tokens) for tokens in inputs)]
        row_of = [rows.index(tokens) for tokens in inputs]
        longest = max(len(tokens) for tokens in rows)
        hidden = self._hidden([tokens + [0] * (longest - len(tokens)) for tokens in rows])
        first, lengths = len(request.prompt) - 1, [len(c) for c in request.continuations]
        wanted = [hidden[row, first : first + n] for row, n in zip(row_of, lengths, strict=True)]
        logits = self.model.lm_head(torch.cat(wanted)).float()
        targets = torch.tensor([token for c in request.continuations for token in c])
        each = functional.log_softmax(logits, dim=-1).gather(1, targets[:, None])[:, 0]
        sums = [part.sum().item() for part in torch.split(each, lengths)]
        return Answer(logprob=sums, finite=bool(logits.isfinite().all()))

    def _generate(self, request: Request) -> Answer:
        """The prompt once, then one token at a time with the cache; the stop token is part of the answer."""
        cache = DynamicCache()
        found: list[int] = []
        new = request.prompt
        while True:
            row = self.model.lm_head(self._hidden([new], cache)[0, -1:])[0]
            if not bool(row.isfinite().all()):
                return Answer(tokens=found, finite=False)
            found.append(int(row.argmax()))
            if len(found) == request.max_new_tokens or found[-1] in request.stop:
                return Answer(tokens=found)
            new = found[-1:]

    def _choose_attention(self) -> None:
        request = Request(
            "generate",
            list(range(self.n_layers)),
            [i % self.config.vocab_size for i in range(1, TIMING_PROMPT + 1)],
            max_new_tokens=TIMING_NEW_TOKENS,
        )
        fastest = dict.fromkeys(ATTENTION, float("inf"))
        for _ in range(
            1 + TIMING_ROUNDS
        ):  # in turn, so that a neighbour's load meets both; one round warms up
            for name in ATTENTION:
                self.model.set_attn_implementation(name)
                fastest[name] = min(fastest[name], self.evaluate(request)[1])
        self.attention_seconds = fastest
        self.model.set_attn_implementation(min(fastest, key=lambda name: fastest[name]))


def _share(module: Any) -> Any:
    """A second module with the same parameters, whose children and attributes can be replaced."""
    view = copy.copy(module)
    view._modules = dict(module._modules)
    return view


def _check_full_attention(config: Any) -> None:
    """Refuses windows: the mask of a layer would depend on it, and `cola` refuses them too."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        raise ModelError(
            f"config.json: layers of kind {sorted(kinds - {'full_attention'})} are not supported"
        )
    if getattr(config, "sliding_window", None) is not None and config.model_type == "mistral":
        raise ModelError("config.json: sliding_window is set; only full attention is supported")
