"""Whether a run.h5 agrees with itself: targets, predictions and rewards are stored side by side, so a swapped
column or a wrong grader shows. Each check raises RunError naming the first row that is wrong.
"""

from __future__ import annotations

import numpy as np

from cola_analysis.read import Array, Run, RunError

OUTCOME_SCORED = 0
NOTHING, OTHER = -1, -2
"""Predictions that are no target: nothing to read, and (without choices) an answer that is not the target."""


def check_run(run: Run) -> None:
    """All checks of this file, cheapest first."""
    check_bases(run)
    check_targets(run)
    check_rows(run)
    check_rewards(run)
    check_predictions(run)


def check_bases(run: Run) -> None:
    """A sample that is finished has chains; the first chain of a sample is the base, 0 .. L-1."""
    begun = np.diff(run.chain_offsets) > 0
    empty = np.flatnonzero((run.samples["finished"] != 0) & ~begun)
    if len(empty):
        name = run.sample_name(int(empty[0]))
        raise RunError(f"{run.path}: sample {name} is finished but has no chains; expected its base chain")
    for i in np.flatnonzero(begun):
        row = int(run.chain_offsets[i])
        layers = run.layers_of(row)
        if run.chains["parent"][row] != -1 or not np.array_equal(layers, np.arange(len(layers))):
            raise RunError(
                f"{run.path}: chains row {row}, the first of sample {run.sample_name(int(i))}, "
                "is not the base chain (parent -1, layers 0 .. L-1)"
            )


def check_targets(run: Run) -> None:
    """A run looks for the gold answer; a control for any other one. Notices the two being swapped.

    So it is with choices and without: then the two are rows of tasks.h5.
    """
    gold, target = run.samples["gold"], run.samples["target"]
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


def check_rows(run: Run) -> None:
    """Without choices gold is the sample's own row; a prediction is the target, nothing or another answer."""
    if not run.by_row:
        return
    gold, index = run.samples["gold"], run.samples["index"].astype(np.int64)
    bad = np.flatnonzero((gold >= 0) & (gold != index))
    if len(bad):
        i = int(bad[0])
        raise RunError(
            f"{run.path}: sample {run.sample_name(i)}: gold {gold[i]}, expected its own row {index[i]}: "
            "answers have no choices here"
        )
    prediction, target = run.chains["prediction"], _per_chain(run, run.samples["target"])
    bad = np.flatnonzero((prediction != target) & (prediction != NOTHING) & (prediction != OTHER))
    if len(bad):
        row = int(bad[0])
        raise RunError(
            f"{run.path}: chains row {row}: prediction {prediction[row]}, expected its sample's target "
            f"{target[row]}, {NOTHING} or {OTHER}"
        )


def check_rewards(run: Run) -> None:
    """The stored reward is 1 where the stored prediction is the target, else 0."""
    prediction, reward = run.chains["prediction"], run.chains["reward"]
    target = _per_chain(run, run.samples["target"])
    bad = np.flatnonzero(reward != ((prediction == target) & (target >= 0)))
    if len(bad):
        row = int(bad[0])
        raise RunError(
            f"{run.path}: chains row {row}: reward {reward[row]:g}, but prediction {prediction[row]} and "
            f"target {target[row]}; the file contradicts itself"
        )


def check_predictions(run: Run) -> None:
    """The prediction is the candidate with the largest score, the lowest of equals (metric acc); -1 unscored.

    Other metrics and generated answers cannot be recomputed from the scores alone and are passed over.
    """
    if run.attribute("score") not in ("letter", "loglik") or run.attributes.get("metric", "acc") != "acc":
        return
    prediction, scored = run.chains["prediction"], run.chains["outcome"] == OUTCOME_SCORED
    n_scores = run.scores.lengths
    expected = np.full(len(prediction), -1, dtype=np.int64)
    for n in np.unique(n_scores[scored]):
        rows = np.flatnonzero(scored & (n_scores == n))
        if n > 0:
            table = run.scores.values[run.scores.offsets[rows][:, None] + np.arange(n)]
            expected[rows] = np.argmax(table, axis=1)
    bad = np.flatnonzero(prediction != expected)
    if len(bad):
        row = int(bad[0])
        raise RunError(
            f"{run.path}: chains row {row}: prediction {prediction[row]}, but its scores "
            f"{run.scores[row].tolist()} "
            f"give {expected[row]}; the file contradicts itself"
        )


def _per_chain(run: Run, column: Array) -> Array:
    return np.repeat(column, np.diff(run.chain_offsets))
