"""Whether a run.h5 agrees with itself: targets, predictions and rewards are stored side by side, so a swapped
column or a wrong grader shows. Each check raises RunError naming the first row that is wrong.

check_samples looks at the samples, check_block at one block of chains; check_run does all, in one pass.
"""

from __future__ import annotations

import numpy as np

from cola_analysis.blocks import Block, blocks
from cola_analysis.read import Array, Run, RunError

OUTCOME_SCORED = 0
NOTHING, OTHER = -1, -2
"""Predictions that are no target: nothing to read, and (without choices) an answer that is not the target."""


def check_run(run: Run) -> None:
    """All checks of this file."""
    check_samples(run)
    for block in blocks(run):
        check_block(block)


def check_samples(run: Run) -> None:
    """A finished sample has chains, and targets are what a run or a control looks for."""
    empty = np.flatnonzero((run.column("samples/finished") != 0) & (np.diff(run.chain_offsets) == 0))
    if len(empty):
        name = run.sample_name(int(empty[0]))
        raise RunError(f"{run.path}: sample {name} is finished but has no chains; expected its base chain")
    _check_targets(run)
    gold, index = run.column("samples/gold"), run.column("samples/index").astype(np.int64)
    bad = np.flatnonzero((gold >= 0) & (gold != index))
    if run.by_row and len(bad):
        i = int(bad[0])
        raise RunError(
            f"{run.path}: sample {run.sample_name(i)}: gold {gold[i]}, expected its own row {index[i]}: "
            "answers have no choices here"
        )


def check_block(block: Block) -> None:
    """All checks of one block of chains, cheapest first."""
    _check_bases(block)
    _check_row_predictions(block)
    _check_rewards(block)
    _check_predictions(block)


def _check_targets(run: Run) -> None:
    """A run looks for the gold answer; a control for any other one. Notices the two being swapped.

    So it is with choices and without: then the two are rows of tasks.h5.
    """
    gold, target = run.column("samples/gold"), run.column("samples/target")
    if run.is_control:
        bad = np.flatnonzero((target >= 0) & (target == gold))
        wrong = "another question's answer" if run.by_row else "a wrong answer"
        expected = f"the file's attribute `control` is {run.control!r}: expected {wrong} as target"
    else:
        bad = np.flatnonzero((target >= 0) & (target != gold))
        expected = "the file's attribute `control` is 'none': expected the gold answer as target"
    if len(bad):
        i = int(bad[0])
        raise RunError(
            f"{run.path}: sample {run.sample_name(i)}: target {target[i]}, gold {gold[i]}, but {expected}"
        )


def _check_bases(block: Block) -> None:
    """The first chain of a sample is the base, 0 .. L-1."""
    rows = block.starts[:-1][block.bases]
    layers, owner = block.gathered_layers(rows)
    lengths = block.lengths[rows]
    wrong = layers != np.arange(len(layers)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    bad = (block.column("parent")[rows] != -1) | (lengths == 0)
    bad[owner[wrong]] = True
    if np.any(bad):
        i = int(np.flatnonzero(bad)[0])
        name = block.run.sample_name(block.first_sample + int(block.bases[i]))
        raise RunError(
            f"{block.run.path}: chains row {block.first + rows[i]}, the first of sample {name}, "
            "is not the base chain (parent -1, layers 0 .. L-1)"
        )


def _check_row_predictions(block: Block) -> None:
    """Without choices a prediction is the target, nothing or another answer."""
    if not block.run.by_row:
        return
    prediction, target = block.column("prediction"), block.per_chain("target")
    row = _first((prediction != target) & (prediction != NOTHING) & (prediction != OTHER))
    if row is not None:
        raise RunError(
            f"{block.run.path}: chains row {block.first + row}: prediction {prediction[row]}, expected its "
            f"sample's target {target[row]}, {NOTHING} or {OTHER}"
        )


def _check_rewards(block: Block) -> None:
    """The stored reward is 1 where the stored prediction is the target, else 0."""
    prediction, reward, target = block.column("prediction"), block.column("reward"), block.per_chain("target")
    row = _first(reward != ((prediction == target) & (target >= 0)))
    if row is not None:
        raise RunError(
            f"{block.run.path}: chains row {block.first + row}: reward {reward[row]:g}, but prediction "
            f"{prediction[row]} and target {target[row]}; the file contradicts itself"
        )


def _check_predictions(block: Block) -> None:
    """The prediction is the candidate with the largest score, the lowest of equals (metric acc); -1 unscored.

    Other metrics and generated answers cannot be recomputed from the scores alone and are passed over.
    """
    run = block.run
    if run.attribute("score") not in ("letter", "loglik") or run.attributes.get("metric", "acc") != "acc":
        return
    prediction, scored = block.column("prediction"), block.column("outcome") == OUTCOME_SCORED
    values, bounds = block.scores
    n_scores = np.diff(bounds)
    expected = np.full(len(prediction), -1, dtype=np.int64)
    for n in np.unique(n_scores[scored]):
        rows = np.flatnonzero(scored & (n_scores == n))
        if n > 0:
            expected[rows] = np.argmax(values[bounds[rows][:, None] + np.arange(n)], axis=1)
    row = _first(prediction != expected)
    if row is not None:
        raise RunError(
            f"{run.path}: chains row {block.first + row}: prediction {prediction[row]}, but its scores "
            f"{values[bounds[row] : bounds[row + 1]].tolist()} give {expected[row]}; "
            "the file contradicts itself"
        )


def _first(wrong: Array) -> int | None:
    rows = np.flatnonzero(wrong)
    return int(rows[0]) if len(rows) else None
