"""Writes run.h5 files with whole trees for the tests of the report, by docs/format-run.md and by nothing of
the package under test.

    write_run(path, Content(n_samples=500, n_chains=200))
    write_run(path, Content(control=True, question=lambda i: "<b>text</b>"))

Every sample has a random tree: each chain is one valid edit of a random earlier one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

N_CANDIDATES = 4
SKIP, REPEAT = 1, 2
BASE_PARENT = -1

IDENTITY = {
    "task": "arc_easy",
    "score": "loglik",
    "tasks_fingerprint": "xxh3:" + "1" * 32,
    "model_fingerprint": "xxh3:" + "2" * 32,
    "numerics_id": "f32-1",
    "preset": "cola",
    "space": "both",
    "metric": "acc",
    "seed": "0",
}
PROVENANCE = {
    "run_id": "3" * 32,
    "created": "2026-01-31T12:00:00Z",
    "program_version": "0.1.0",
    "git_hash": "abcdef123456",
    "model_dir": "models/Model",
    "transport": "mpi",
    "n_workers": "2",
}


@dataclass
class Content:
    """What a file holds. grader: generated answers without choices, whose texts are `answer`'s."""

    n_samples: int = 6
    n_chains: int = 30
    n_layers: int = 12
    control: bool = False
    question: Callable[[int], str] = lambda i: f"Question {i}?"
    choice: Callable[[int], str] = lambda c: f"choice {c}"
    label: Callable[[int], str] = lambda c: "ABCD"[c]
    answer: Callable[[int], str] = lambda i: f"answer {i}"
    grader: str = ""
    unfinished: tuple[int, ...] = ()
    not_begun: tuple[int, ...] = ()
    changed: dict[str, str] = field(default_factory=dict)


@dataclass
class Chain:
    """One chain of a tree, as the file stores it."""

    layers: tuple[int, ...]
    parent: int = BASE_PARENT
    depth: int = 0
    edit: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Kind, position, block, times."""
    prediction: int = 0
    n_visits: int = 1
    reward: int = 0
    total: int = 0


def grow(content: Content, seed: int) -> list[Chain]:
    """A random tree: its chains, edits and depths; the same for a run and its control."""
    draw = random.Random(seed)
    chains = [Chain(tuple(range(content.n_layers)))]
    while len(chains) < content.n_chains:
        parent = draw.randrange(len(chains))
        above = chains[parent]
        kind = draw.choice((SKIP, REPEAT)) if len(above.layers) > 6 else REPEAT
        block = draw.randint(1, min(4, len(above.layers)))
        at = draw.randrange(len(above.layers) - block + 1)
        times = draw.randint(1, 2) if kind == REPEAT else 0
        before, inside = above.layers[: at + block], above.layers[at : at + block]
        layers = before + inside * times + above.layers[at + block :]
        if kind == SKIP:
            layers = above.layers[:at] + above.layers[at + block :]
        chains.append(Chain(layers, parent, above.depth + 1, (kind, at, block, times)))
    for chain in chains:
        chain.prediction = draw.randrange(N_CANDIDATES)
    return chains


def judge(chains: list[Chain], target: int) -> None:
    """Rewards, and what simulations through each chain add up to: one a chain, through its ancestors."""
    for chain in chains:
        chain.reward = chain.total = int(chain.prediction == target)
    for chain in reversed(chains):
        if chain.parent != BASE_PARENT:
            chains[chain.parent].n_visits += chain.n_visits
            chains[chain.parent].total += chain.total


def trees(content: Content) -> tuple[list[list[Chain]], list[int], list[int]]:
    """All trees, and each sample's gold and target."""
    grown, golds, targets = [], [], []
    for i in range(content.n_samples):
        chains = [] if i in content.not_begun else grow(content, i)
        gold = i % N_CANDIDATES
        target = (gold + 1) % N_CANDIDATES if content.control else gold
        if content.grader:  # predictions are rows: the target's, -1 or -2
            gold, target = i, (i + 1) % content.n_samples if content.control else i
            for chain in chains:
                chain.prediction = {0: target, 1: -1}.get(chain.prediction, -2)
        judge(chains, target)
        grown.append(chains)
        golds.append(gold)
        targets.append(target)
    return grown, golds, targets


def write_run(path: Path, content: Content) -> Path:
    """The whole file."""
    grown, golds, targets = trees(content)
    with h5py.File(path, "w") as file:
        _attributes(file, content)
        _samples(file, content, grown, golds, targets)
        _chains(file, content, grown)
    return path


def _attributes(file: h5py.File, content: Content) -> None:
    identity = IDENTITY | {"control": "wrong-answer" if content.control else "none"}
    identity |= {"score": "generate", "grader": content.grader} if content.grader else {}
    identity |= {k: v for k, v in content.changed.items() if k not in PROVENANCE}
    provenance = PROVENANCE | {k: v for k, v in content.changed.items() if k in PROVENANCE}
    file.attrs["filetype"] = "cola-run"
    file.attrs["version"] = np.array([1, 1], dtype=np.int32)
    file.attrs["complete"], file.attrs["folded_sequence"] = np.int32(1), np.uint64(0)
    file.attrs["content_digest"] = "xxh3:" + "0" * 32
    file.attrs["identity_keys"] = "\n".join(identity)
    file.attrs["grows_keys"] = "n_simulations"
    file.attrs["provenance_keys"] = "\n".join(provenance)
    for name, value in (identity | provenance | {"n_simulations": str(content.n_chains)}).items():
        file.attrs[name] = value


def _offsets(lengths: Sequence[int]) -> Any:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.uint64)


def _texts(file: h5py.File, name: str, rows: Sequence[str]) -> None:
    encoded = [row.encode("utf-8", "surrogatepass") for row in rows]
    file[f"{name}_values"] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    file[f"{name}_offsets"] = _offsets([len(row) for row in encoded])


def _samples(
    file: h5py.File, content: Content, grown: list[list[Chain]], golds: list[int], targets: list[int]
) -> None:
    n = content.n_samples
    m = 1 if content.grader else N_CANDIDATES
    unfinished = {*content.unfinished, *content.not_begun}
    file["samples/index"] = np.arange(n, dtype=np.uint32)
    _texts(file, "samples/id", [f"q{i}" for i in range(n)])
    file["samples/gold"] = np.array(golds, dtype=np.int32)
    file["samples/target"] = np.array(targets, dtype=np.int32)
    file["samples/finished"] = np.array([i not in unfinished for i in range(n)], dtype=np.uint8)
    file["samples/n_simulations"] = np.array([len(chains) for chains in grown], dtype=np.uint32)
    file["samples/candidate_offsets"] = _offsets([m] * n)
    file["samples/chain_offsets"] = _offsets([len(chains) for chains in grown])
    file["candidates/n_bytes"] = np.ones(m * n, dtype=np.uint32)
    _texts(file, "candidates/label", [content.label(c) for _ in range(n) for c in range(m)])
    _texts(file, "texts/question", [content.question(i) for i in range(n)])
    _texts(file, "texts/choice", [content.choice(c) for _ in range(n) for c in range(m)])
    sought = content.answer if content.grader else content.choice
    _texts(file, "texts/target", [sought(target) for target in targets])


def _chains(file: h5py.File, content: Content, grown: list[list[Chain]]) -> None:
    rows = [chain for chains in grown for chain in chains]
    columns: dict[str, tuple[list[int], Any]] = {
        "parent": ([c.parent for c in rows], np.int32),
        "depth": ([c.depth for c in rows], np.uint32),
        "edit_kind": ([c.edit[0] for c in rows], np.uint8),
        "edit_position": ([c.edit[1] for c in rows], np.uint16),
        "edit_block": ([c.edit[2] for c in rows], np.uint8),
        "edit_times": ([c.edit[3] for c in rows], np.uint8),
        "simulation": ([i for chains in grown for i in range(len(chains))], np.uint32),
        "n_visits": ([c.n_visits for c in rows], np.uint32),
        "total_reward": ([c.total for c in rows], np.float64),
        "reward": ([c.reward for c in rows], np.float32),
        "prediction": ([c.prediction for c in rows], np.int32),
        "outcome": ([0] * len(rows), np.uint8),
        "on_front": ([int(i == 0) for chains in grown for i in range(len(chains))], np.uint8),
    }
    for name, (values, dtype) in columns.items():
        file[f"chains/{name}"] = np.array(values, dtype=dtype)
    file["chains/layer_values"] = np.array([x for c in rows for x in c.layers], dtype=np.uint16)
    file["chains/layer_offsets"] = _offsets([len(c.layers) for c in rows])
    scores = [] if content.grader else [float(k == c.prediction) for c in rows for k in range(N_CANDIDATES)]
    file["scores/values"] = np.array(scores, dtype=np.float32)
    file["scores/offsets"] = _offsets([0 if content.grader else N_CANDIDATES] * len(rows))
    file["scores/logsumexp"] = np.zeros(len(rows), dtype=np.float32)
    file["scores/argmax"] = np.full(len(rows), -1, dtype=np.int32)
    file["scores/token_values"] = np.array([], dtype=np.int32)
    file["scores/token_offsets"] = _offsets([0] * len(rows))
    given = [content.answer(c.prediction) if content.grader and c.prediction != -1 else "" for c in rows]
    _texts(file, "scores/answer", given)
    file["timing/seconds"] = np.zeros(len(rows), dtype=np.float32)
    for name in ("layers_asked", "layers_executed"):
        file[f"timing/{name}"] = np.array([len(c.layers) for c in rows], dtype=np.uint32)
