"""What a run would have found under another metric: the stored scores of all choices are judged again.

    by_metric(run, "acc_norm")

acc: the choice with the largest score. acc_norm: the largest score per byte of the choice's text, as
lm-evaluation-harness has it (`loglik` alone). The chains are those that a search for the other metric
visited, so what is found here is less than what a search for this one would find. Goes through the file in
blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cola_analysis.blocks import Block, blocks
from cola_analysis.check import OUTCOME_SCORED
from cola_analysis.read import Array, Run, RunError
from cola_analysis.statistics import Share
from cola_analysis.table import share_text

METRICS = ("acc", "acc_norm")
SHARES = ("base_right", "some_chain_right", "corrected")


@dataclass(frozen=True)
class ByMetric:
    """Chains on which the stored predictions and the metric differ, and shares of samples under both."""

    path: str
    metric: str
    stored_metric: str
    n_chains: int
    n_changed: int
    """Chains whose prediction changes."""
    stored: dict[str, Share]
    regraded: dict[str, Share]

    def lines(self) -> list[str]:
        """The report."""
        told = [f"run  {self.path}", f"chains graded: {self.n_chains}, other prediction: {self.n_changed}"]
        told.append(f"{'':<20}{self.stored_metric + ' (search)':<28}{self.metric}")
        for name in SHARES:
            label = name.replace("_", " ")
            told.append(f"{label:<20}{share_text(self.stored[name]):<28}{share_text(self.regraded[name])}")
        return told

    def as_json(self) -> dict[str, Any]:
        """The same, for programs."""
        sides = {"search": self.stored, "regraded": self.regraded}
        return {
            "run": self.path,
            "metric": self.metric,
            "search_metric": self.stored_metric,
            "chains": self.n_chains,
            "changed": self.n_changed,
            **{
                side: {k: {"hits": v.hits, "n": v.n} for k, v in shares.items()}
                for side, shares in sides.items()
            },
        }


def by_metric(run: Run, metric: str) -> ByMetric:
    """Judges every scored chain of finished samples with a target again."""
    rule = run.attribute("score")
    if metric == "acc_norm" and rule != "loglik":
        raise RunError(
            f"{run.path}: score rule {rule}: only loglik has scores that grow with the choice's length"
        )
    counted = (run.column("samples/finished") != 0) & (run.column("samples/target") >= 0)
    n_bytes = run.dataset("candidates/n_bytes").astype(np.float64)
    first = run.offsets("samples/candidate_offsets", run.n_samples)
    n_chains = n_changed = 0
    right: dict[str, list[Array]] = {"stored": [], "regraded": []}
    for block in blocks(run):
        keep = counted[block.first_sample : block.last_sample]
        predicted = _predictions(block, metric, n_bytes, first)
        stored, chains = block.column("prediction"), keep[block.sample]
        n_chains += int(chains.sum())
        n_changed += int((predicted != stored)[chains].sum())
        target = block.per_chain("target")
        for name, found in (("stored", stored), ("regraded", predicted)):
            hit = found == target
            some = np.bincount(block.sample[hit], minlength=block.n_samples) > 0
            right[name].append(np.stack([hit[block.starts[:-1][keep]], some[keep]], axis=1))
    stored_shares, regraded = (
        _shares(np.concatenate(right[name]) if right[name] else np.zeros((0, 2), dtype=bool))
        for name in right
    )
    was = str(run.attributes.get("metric", "acc"))
    return ByMetric(run.path, metric, was, n_chains, n_changed, stored_shares, regraded)


def _shares(right: Array) -> dict[str, Share]:
    """Of [samples, (base right, some chain right)]."""
    base, some = right[:, 0], right[:, 1]
    return {
        "base_right": Share(int(base.sum()), len(base)),
        "some_chain_right": Share(int(some.sum()), len(some)),
        "corrected": Share(int((some & ~base).sum()), int((~base).sum())),
    }


def _predictions(block: Block, metric: str, n_bytes: Array, first: Array) -> Array:
    """The best choice of each chain, the lowest of equals; -1: not scored."""
    values, bounds = block.scores
    n_scores = np.diff(bounds)
    scored = block.column("outcome") == OUTCOME_SCORED
    predicted = np.full(len(block), -1, dtype=np.int64)
    for n in np.unique(n_scores[scored]):
        rows = np.flatnonzero(scored & (n_scores == n))
        if n > 0:
            table = values[bounds[rows][:, None] + np.arange(n)].astype(np.float64)
            if metric == "acc_norm":
                begin = first[block.first_sample + block.sample[rows]]
                table = table / n_bytes[begin[:, None] + np.arange(n)]
            predicted[rows] = np.argmax(table, axis=1)
    return predicted
