"""Requests of `cola eval`, read in Python for `cola-hf-loop`, and its answers written.

The same members, limits and answers as src/cli/requests.c, so that one file of requests can be given to
both programs. Knows nothing of models, so vocabulary and positions are checked with numbers given to it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MEMBERS = {"id", "chain", "prompt", "score", "tokens", "continuations", "max_new_tokens", "stop"}
TOKENS_MAX = 1 << 20
DEEPEST = 8  # nested parentheses, as src/chain/parse.c


class RequestError(ValueError):
    """A line that cannot be answered; the text says what is wrong with it."""


@dataclass(frozen=True)
class Request:
    """One evaluation. Members that the score does not use are empty."""

    score: str  # next | loglik | generate
    chain: list[int]  # 1 .. 4 L layers of the model, in order
    prompt: list[int]  # at least one token
    tokens: list[int] = field(default_factory=list)  # next: whose logits are wanted
    continuations: list[list[int]] = field(default_factory=list)  # loglik: each of at least one token
    max_new_tokens: int = 0  # generate
    stop: frozenset[int] = frozenset()  # generate


@dataclass(frozen=True)
class Answer:
    """What an evaluation gave; `finite` is false where a logit was not a number."""

    logits: list[float] | None = None
    logsumexp: float = math.nan
    argmax: int = -1
    logprob: list[float] | None = None
    tokens: list[int] | None = None
    finite: bool = True

    def members(self) -> dict[str, Any]:
        """The members of the answer's line, in the order of `cola eval`."""
        line: dict[str, Any] = {}
        if self.logits is not None:
            line["logits"] = [_number(x, self.finite) for x in self.logits]
            line["logsumexp"] = _number(self.logsumexp, self.finite)
            line["argmax"] = self.argmax if self.finite else -1
        elif self.logprob is not None:
            line["logprob"] = [_number(x, self.finite) for x in self.logprob]
        else:
            line["tokens"] = self.tokens
        if not self.finite:
            line["outcome"] = "non-finite"
        return line


def _number(x: float, finite: bool) -> float | None:
    """Nine digits, which read back to the same float32; null where nothing may be concluded."""
    return float(f"{x:.9g}") if finite and math.isfinite(x) else None


def _tokens(value: object, name: str) -> list[int]:
    if not isinstance(value, list):
        raise RequestError(f'"{name}" must be a list of token ids')
    for i, token in enumerate(value):
        if type(token) is not int or not 0 <= token < 2**31:
            raise RequestError(f'"{name}"[{i}] is not a token id')
    return value


def parse_chain(text: str, n_layers: int) -> list[int]:
    """The layers of a text like `0-4,(5-6)x2`, for a model of `n_layers` layers."""
    position = 0

    def fail(expected: str) -> RequestError:
        found = f"'{text[position]}'" if position < len(text) else "the end"
        return RequestError(f"chain: {found} at character {position + 1}, expected {expected}")

    def take(pattern: str, expected: str) -> str:
        nonlocal position
        match = re.compile(rf"[ \t]*({pattern})[ \t]*").match(text, position)
        if not match:
            raise fail(expected)
        position = match.end()
        return match.group(1)

    def items(depth: int) -> list[int]:
        found: list[int] = []
        while True:
            if text[position:].lstrip(" \t").startswith("("):
                if depth == DEEPEST:
                    raise RequestError(f"chain: '(' is nested more than {DEEPEST} deep")
                take(r"\(", "'('")
                block = items(depth + 1)
                passes = int(take(r"\)x[0-9]{1,9}", "')x' and the number of passes")[2:])
                if passes == 0:
                    raise RequestError("chain: 0 passes, expected at least 1")
                check_length(len(found) + len(block) * passes)
                found += block * passes
            else:
                first, _, last = take(r"[0-9]{1,9}(?:-[0-9]{1,9})?", "a layer or '('").partition("-")
                found += run(int(first), int(last or first), len(found))
            if not text[position:].startswith(","):
                return found
            take(",", "','")

    def run(first: int, last: int, n_before: int) -> list[int]:
        if last < first:
            raise RequestError(f"chain: run {first}-{last} descends; write single layers")
        if last >= n_layers:
            raise RequestError(f"chain: layer {last}, the model's layers are 0 .. {n_layers - 1}")
        check_length(n_before + last - first + 1)
        return list(range(first, last + 1))

    def check_length(n: int) -> None:
        if n > 4 * n_layers:
            raise RequestError(f"chain: longer than {4 * n_layers} entries (4 times {n_layers} layers)")

    layers = items(0)
    if position != len(text):
        raise fail("',' or the end")
    return layers


def _chain(value: object, n_layers: int) -> list[int]:
    if isinstance(value, str):
        return parse_chain(value, n_layers)
    if not isinstance(value, list):
        raise RequestError('"chain" must be a text like "0-4,(5-6)x2" or a list of layers')
    if not 1 <= len(value) <= 4 * n_layers:
        raise RequestError(f'"chain" has {len(value)} layers, expected 1 .. {4 * n_layers}')
    for i, layer in enumerate(value):
        if type(layer) is not int or not 0 <= layer < n_layers:
            raise RequestError(f'"chain"[{i}] is not a layer 0 .. {n_layers - 1}')
    return value


def parse_request(line: dict[str, Any], n_layers: int) -> Request:
    """A request from a decoded line, for a model of `n_layers` layers; RequestError says what is wrong."""
    for name in line:
        if name not in MEMBERS:
            raise RequestError(f'unknown member "{name:.60}"')
    score = line.get("score")
    if score not in ("next", "loglik", "generate"):
        raise RequestError('"score" must be "next", "loglik" or "generate"')
    chain = _chain(line.get("chain"), n_layers)
    prompt = _tokens(line.get("prompt"), "prompt")
    if not prompt:
        raise RequestError('"prompt" is empty; at least one token is needed')
    if score == "next":
        tokens = _tokens(line.get("tokens"), "tokens")
        if not tokens:
            raise RequestError('"tokens" has 0 entries')
        return Request(score, chain, prompt, tokens=tokens)
    if score == "loglik":
        return Request(score, chain, prompt, continuations=_continuations(line.get("continuations")))
    limit = line.get("max_new_tokens")
    if type(limit) is not int or not 1 <= limit <= TOKENS_MAX:
        raise RequestError(f'"max_new_tokens" must be a whole number 1 .. {TOKENS_MAX}')
    stop = _tokens(line["stop"], "stop") if "stop" in line else []
    return Request(score, chain, prompt, max_new_tokens=limit, stop=frozenset(stop))


def _continuations(value: object) -> list[list[int]]:
    if not isinstance(value, list) or not value:
        raise RequestError('"continuations" must be a list of at least one entry')
    for i, tokens in enumerate(value):
        if not isinstance(tokens, list) or not tokens:
            raise RequestError(f'"continuations"[{i}] is not a list of at least one token')
        _tokens(tokens, "continuations")
    return value


def check_vocabulary(request: Request, n_vocab: int, n_positions: int) -> None:
    """RequestError for a token that the model does not have, or for more positions than it was made for."""
    for tokens in (request.prompt, request.tokens, sorted(request.stop), *request.continuations):
        for token in tokens:
            if token >= n_vocab:
                raise RequestError(f"token {token}, the model's tokens are 0 .. {n_vocab - 1}")
    longest = max((len(c) for c in request.continuations), default=max(request.max_new_tokens, 1))
    taken = len(request.prompt) + longest - 1  # the last token of a continuation or answer takes none
    if taken > n_positions:
        raise RequestError(f"prompt and answer take {taken} positions, the model has {n_positions}")


def decode_line(text: bytes) -> dict[str, Any]:
    """A line's JSON object; RequestError if it is none."""
    try:
        line = json.loads(text, object_pairs_hook=_once)
    except RequestError:
        raise
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, a number of 5,000 digits, ...
        raise RequestError(f"not JSON: {error}") from error
    if not isinstance(line, dict):
        raise RequestError("a request must be a JSON object")
    return line


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    line = dict(pairs)
    if len(line) != len(pairs):
        raise RequestError("not JSON: a member occurs twice")
    return line
