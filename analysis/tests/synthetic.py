"""Writes run.h5 files with known content, by docs/format-run.md and by nothing of the package under test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

L = 6
BASE = tuple(range(L))
SHORT = (0, 1, 2, 3, 5)
"""One layer skipped: depth 5, 5 different layers."""
SHORTER = (0, 1, 5)
LONG = (0, 1, 2, 2, 2, 3, 4, 5)
"""Layer 2 three times: depth 8, 6 different layers."""

N_CANDIDATES = 4

ATTRIBUTES = {
    "task": ("arc_easy", "identity"),
    "score": ("loglik", "identity"),
    "tasks_fingerprint": ("xxh3:" + "1" * 32, "identity"),
    "model_fingerprint": ("xxh3:" + "2" * 32, "identity"),
    "numerics_id": ("f32-1", "identity"),
    "preset": ("cola", "identity"),
    "space": ("both", "identity"),
    "metric": ("acc", "identity"),
    "seed": ("0", "identity"),
    "control": ("none", "identity"),
    "n_simulations": ("200", "grows"),
    "run_id": ("3" * 32, "provenance"),
    "created": ("2026-01-31T12:00:00Z", "provenance"),
    "program_version": ("0.1.0", "provenance"),
    "git_hash": ("unknown", "provenance"),
}


@dataclass(frozen=True)
class Chain:
    """One evaluated chain. prediction None: a logit was not finite."""

    layers: tuple[int, ...]
    prediction: int | None
    depth: int = 1
    outcome: int | None = None
    tokens: tuple[int, ...] = ()
    answer: bytes = b""
    edit: tuple[int, int, int, int] | None = None
    """Kind, position, block, times; None: one skip at 0, for all but the base."""


@dataclass(frozen=True)
class Sample:
    """One sample with its chains; the first is the base. target None: the gold answer."""

    chains: Sequence[Chain]
    gold: int = 0
    target: int | None = None
    finished: bool = True
    n_simulations: int = 200

    @property
    def sought(self) -> int:
        return self.gold if self.target is None else self.target


@dataclass
class File:
    """A run.h5 to write; `changed` overrides and adds attributes (None removes one)."""

    samples: Sequence[Sample]
    changed: dict[str, str | None] = field(default_factory=dict)
    ids: Sequence[str] | None = None
    choices: Sequence[Sequence[str]] | None = None

    @property
    def generated(self) -> bool:
        return self.changed.get("score") == "generate"

    @property
    def n_candidates(self) -> int:
        """Without choices the only candidate is the right answer."""
        return 1 if self.generated and self.changed.get("grader") in ("boxed", "number") else N_CANDIDATES

    def write(self, path: Path) -> Path:
        with h5py.File(path, "w") as file:
            _attributes(file, self)
            _samples(file, self)
            _chains(file, self)
        return path


@dataclass
class CrossFile:
    """A table of `cola cross` to write, by docs/format-cross.md: predictions [samples][chains]."""

    chains: Sequence[tuple[int, ...]]
    predictions: Sequence[Sequence[int]]
    gold: Sequence[int] | None = None
    ids: Sequence[str] | None = None
    choices: Sequence[Sequence[str]] | None = None
    """Their texts; None: a file of version 1.0, without texts."""
    changed: dict[str, str] = field(default_factory=dict)
    absent: Sequence[tuple[int, int]] = ()
    """(sample, chain) that were not evaluated."""

    def write(self, path: Path) -> Path:
        order = sorted(range(len(self.chains)), key=lambda i: self.chains[i])
        chains, n = [self.chains[i] for i in order], len(self.predictions)
        predictions = np.array(self.predictions, dtype=np.int32).reshape(n, len(chains))
        outcome = np.zeros((n, len(chains)), dtype=np.uint8)
        for sample, chain in self.absent:
            outcome[sample, chain], predictions[sample, chain] = 255, -1
        gold = np.zeros(n, dtype=np.int32) if self.gold is None else np.array(self.gold, dtype=np.int32)
        names = [name.encode() for name in self.ids or [f"q{i}" for i in range(n)]]
        keys = ("task", "tasks_fingerprint", "model_fingerprint", "numerics_id", "metric")
        identity = {key: ATTRIBUTES[key][0] for key in keys} | {"n_model_layers": str(L)} | self.changed
        with h5py.File(path, "w") as file:
            file.attrs["filetype"] = "cola-cross"
            file.attrs["version"] = np.array([1, int(self.choices is not None)], dtype=np.int32)
            file.attrs["complete"] = np.int32(not self.absent)
            file.attrs["identity_keys"] = "\n".join(identity)
            file.attrs.update(identity)
            samples = file.create_group("samples")
            samples["index"] = np.arange(n, dtype=np.uint32)
            samples["gold"] = gold
            samples["n_candidates"] = np.full(n, N_CANDIDATES, dtype=np.uint32)
            _ragged(samples, "id", names, np.uint8)
            _ragged(file.create_group("chains"), "layer", chains, np.uint16)
            if self.choices is not None:
                texts = [text.encode() for row in self.choices for text in row]
                _ragged(file.create_group("texts"), "choice", texts, np.uint8)
            file["results/outcome"] = outcome[:, order]
            file["results/prediction"] = predictions[:, order]
            file["results/right"] = (predictions == gold[:, None])[:, order].astype(np.uint8)
        return path


def base(prediction: int | None, tokens: tuple[int, ...] = ()) -> Chain:
    return Chain(BASE, prediction, depth=0, tokens=tokens)


def scores_of(chain: Chain) -> list[float]:
    """Scores whose largest is the prediction's, with ties after it (the lower index wins)."""
    if chain.prediction is None:
        return [float("nan")] * N_CANDIDATES
    return [-1.0 if c >= chain.prediction else -2.0 for c in range(N_CANDIDATES)]


def _attributes(file: h5py.File, content: File) -> None:
    values = {name: value for name, (value, _) in ATTRIBUTES.items()} | content.changed
    file.attrs["filetype"] = "cola-run"
    file.attrs["version"] = np.array([1, 1], dtype=np.int32)
    file.attrs["complete"] = np.int32(all(s.finished for s in content.samples))
    file.attrs["folded_sequence"] = np.uint64(0)
    file.attrs["content_digest"] = "xxh3:" + "0" * 32
    roles = {name: "identity" for name in content.changed} | {
        name: its for name, (_, its) in ATTRIBUTES.items()
    }
    for role in ("identity", "grows", "provenance"):
        names = [name for name, its in roles.items() if its == role and values[name] is not None]
        file.attrs[f"{role}_keys"] = "\n".join(names)
    for name, value in values.items():
        if value is not None:
            file.attrs[name] = value


def _edit(chain: Chain, number: int) -> tuple[int, int, int, int]:
    return chain.edit or (int(number > 0), 0, int(number > 0), 0)


def _offsets(lengths: Sequence[int]) -> Any:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint64)


def _ragged(group: h5py.Group, name: str, rows: Sequence[Sequence[int] | bytes], dtype: Any) -> None:
    group[f"{name}_offsets"] = _offsets([len(row) for row in rows])
    group[f"{name}_values"] = np.array([x for row in rows for x in row], dtype=dtype)


def _samples(file: h5py.File, content: File) -> None:
    samples, m = content.samples, content.n_candidates
    n = len(samples)
    group = file.create_group("samples")
    group["index"] = np.arange(n, dtype=np.uint32)
    names = content.ids or [f"q{i}" for i in range(n)]
    _ragged(group, "id", [name.encode() for name in names], np.uint8)
    group["gold"] = np.array([s.gold for s in samples], dtype=np.int32)
    group["target"] = np.array([s.sought for s in samples], dtype=np.int32)
    group["finished"] = np.array([s.finished for s in samples], dtype=np.uint8)
    group["n_simulations"] = np.array([s.n_simulations for s in samples], dtype=np.uint32)
    group["candidate_offsets"] = _offsets([m] * n)
    group["chain_offsets"] = _offsets([len(s.chains) for s in samples])
    candidates = file.create_group("candidates")
    candidates["n_bytes"] = np.ones(m * n, dtype=np.uint32)
    _ragged(candidates, "label", [bytes([c]) for _ in range(n) for c in b"ABCD"[:m]], np.uint8)
    texts = file.create_group("texts")
    _ragged(texts, "question", [b"?"] * n, np.uint8)
    choices = content.choices or ["abcd"[:m]] * n
    _ragged(texts, "choice", [text.encode() for row in choices for text in row], np.uint8)
    _ragged(
        texts, "target", [b"" if s.sought < 0 else f"answer {s.sought}".encode() for s in samples], np.uint8
    )


def _chains(file: h5py.File, content: File) -> None:
    rows = [(s, i, c) for s in content.samples for i, c in enumerate(s.chains)]
    reward = [float(c.prediction == s.sought and s.sought >= 0) for s, _, c in rows]
    columns = {
        "parent": ([0 if i else -1 for _, i, _ in rows], np.int32),
        "depth": ([c.depth for _, _, c in rows], np.uint32),
        "edit_kind": ([_edit(c, i)[0] for _, i, c in rows], np.uint8),
        "edit_position": ([_edit(c, i)[1] for _, i, c in rows], np.uint16),
        "edit_block": ([_edit(c, i)[2] for _, i, c in rows], np.uint8),
        "edit_times": ([_edit(c, i)[3] for _, i, c in rows], np.uint8),
        "simulation": ([i for _, i, _ in rows], np.uint32),
        "n_visits": ([1] * len(rows), np.uint32),
        "total_reward": (reward, np.float64),
        "reward": (reward, np.float32),
        "prediction": ([-1 if c.prediction is None else c.prediction for _, _, c in rows], np.int32),
        "outcome": (
            [c.outcome if c.outcome is not None else int(c.prediction is None) for _, _, c in rows],
            np.uint8,
        ),
        "on_front": ([0] * len(rows), np.uint8),
    }
    group = file.create_group("chains")
    _ragged(group, "layer", [c.layers for _, _, c in rows], np.uint16)
    for name, (values, dtype) in columns.items():
        group[name] = np.array(values, dtype=dtype)
    scores = file.create_group("scores")
    stored = [[] if content.generated else scores_of(c) for _, _, c in rows]
    scores["values"] = np.array([x for row in stored for x in row], dtype=np.float32)
    scores["offsets"] = _offsets([len(row) for row in stored])
    scores["logsumexp"] = np.zeros(len(rows), dtype=np.float32)
    scores["argmax"] = np.full(len(rows), -1, dtype=np.int32)
    _ragged(scores, "token", [c.tokens for _, _, c in rows], np.int32)
    _ragged(scores, "answer", [c.answer for _, _, c in rows], np.uint8)
    timing = file.create_group("timing")
    timing["seconds"] = np.zeros(len(rows), dtype=np.float32)
    timing["layers_asked"] = np.array([len(c.layers) for _, _, c in rows], dtype=np.uint32)
    timing["layers_executed"] = np.array([len(c.layers) for _, _, c in rows], dtype=np.uint32)
