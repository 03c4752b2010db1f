"""Readers of the exported formats, written from docs/exports.md and docs/format-run.md alone, and nothing of
the package: what they say a file holds is compared with what a run holds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Path_ = tuple[int, ...]


@dataclass
class Labels:
    """What a trainer gets of one sample."""

    question: str
    answer: str
    base_right: bool
    right: set[Path_]
    wrong: set[Path_] = field(default_factory=set)
    best: Path_ = ()


def chain_of(value: Any, n_layers: int) -> Path_:
    assert isinstance(value, list) and value, value
    assert all(isinstance(layer, int) and 0 <= layer < n_layers for layer in value), value
    return tuple(value)


def chains_of(value: Any, n_layers: int) -> set[Path_]:
    assert isinstance(value, list)
    chains = [chain_of(chain, n_layers) for chain in value]
    assert len(set(chains)) == len(chains), "a chain twice"
    return set(chains)


def read_polar(path: Path, n_layers: int) -> dict[str, Labels]:
    """PoLar's file by query_id."""
    document = json.loads(path.read_text(encoding="utf-8"))
    samples: dict[str, Labels] = {}
    for sample in document["samples"]:
        assert sample["initial_score"] in (0.0, 1.0) and isinstance(sample["initial_score"], float)
        assert isinstance(sample["question"], str) and isinstance(sample["gt_ans"], str)
        assert sample["query_id"] not in samples
        samples[sample["query_id"]] = Labels(
            question=sample["question"],
            answer=sample["gt_ans"],
            base_right=sample["initial_score"] == 1.0,
            right=chains_of(sample["final_valid_transitions"], n_layers),
            wrong=chains_of(sample["final_invalid_transitions"], n_layers),
        )
    return samples


def read_drllm(path: Path, n_layers: int) -> tuple[dict[str, Any], list[Labels], list[list[int]]]:
    """Dr.LLM's file: the names, the samples, and each one's layer labels: 0 skip, 1 execute, 2 repeat."""
    document = json.loads(path.read_text(encoding="utf-8"))
    lists = {key: value for key, value in document.items() if isinstance(value, list)}
    assert {"questions", "best_path", "best_response", "original_correct"} <= set(lists)
    assert len({len(value) for value in lists.values()}) == 1, "the lists are not parallel"
    samples, labels = [], []
    for i, question in enumerate(lists["questions"]):
        best = chain_of(lists["best_path"][i], n_layers)
        assert lists["original_correct"][i] in (0, 1)
        samples.append(
            Labels(
                question=question,
                answer=lists["best_response"][i],
                base_right=lists["original_correct"][i] == 1,
                right=chains_of(lists["good_paths"][i], n_layers),
                best=best,
            )
        )
        assert lists["path_lengths"][i] == len(best) and lists["unique_layers"][i] == len(set(best))
        assert lists["mcts_correct"][i] == (1 if samples[-1].right else 0)
        assert lists["improved_cases"][i] == (bool(samples[-1].right) and not samples[-1].base_right)
        labels.append([best.count(layer) for layer in range(n_layers)])
    return document, samples, labels


def read_run(path: Path) -> dict[str, Labels]:
    """Finished samples of a run with their chains, straight from the data sets."""
    with h5py.File(path) as run:

        def rows(name: str) -> list[Any]:
            values, offsets = run[f"{name}_values"][()], run[f"{name}_offsets"][()].astype(int)
            return [values[a:b] for a, b in pairwise(offsets)]

        def texts(name: str) -> list[str]:
            return [bytes(row.astype(np.uint8)).decode("utf-8", "replace") for row in rows(name)]

        ids, questions, choices = texts("samples/id"), texts("texts/question"), texts("texts/choice")
        layers = [tuple(int(x) for x in row) for row in rows("chains/layer")]
        reward, outcome = run["chains/reward"][()], run["chains/outcome"][()]
        first, first_choice = run["samples/chain_offsets"][()], run["samples/candidate_offsets"][()]
        finished, gold = run["samples/finished"][()], run["samples/gold"][()]
        found: dict[str, Labels] = {}
        for i, name in enumerate(ids):
            if not finished[i] or gold[i] < 0:
                continue
            chains = [c for c in range(int(first[i]), int(first[i + 1])) if outcome[c] != 2]
            own = choices[int(first_choice[i]) : int(first_choice[i + 1])]
            lines = [f"{'ABCD'[k]}. {text}" for k, text in enumerate(own)]
            found[name] = Labels(
                question="\n".join([questions[i], *lines]),
                answer="ABCD"[int(gold[i])] if int(gold[i]) < 4 else "",
                base_right=bool(reward[chains[0]] == 1),
                right={layers[c] for c in chains if reward[c] == 1},
                wrong={layers[c] for c in chains if reward[c] != 1},
            )
        return found
