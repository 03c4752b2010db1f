"""Shares and means of files with known truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import BASE, LONG, SHORT, SHORTER, Chain, File, Sample, base

from cola_analysis.findings import Comparison, Findings, compare, disagreements, find, mismatches
from cola_analysis.outcomes import Outcomes, RightChain, SampleOutcome, collect
from cola_analysis.read import Run, RunError
from cola_analysis.statistics import Share

CONTROL = {"control": "wrong-answer"}

# Gold is 0 and the control's target 1 throughout; one line a sample, what the base predicts and what happens.
RUN = [
    Sample([base(0), Chain(SHORT, 0), Chain(SHORTER, 0, depth=2), Chain(SHORTER[:2], 1, depth=3)]),  # C, 3
    Sample([base(0), Chain(SHORT, 1), Chain(LONG, 0)]),  # C, only longer
    Sample([base(0), Chain(LONG, 0), Chain(SHORT, None), Chain(SHORT, 0)]),  # C, 5 after a NaN
    Sample([base(2), Chain(SHORT, 3), Chain(LONG, 0, depth=2), Chain(LONG[:-1], 0)]),  # W, first right is 3rd
    Sample([base(2), Chain(SHORT, 1)]),  # W, never
    Sample([base(1), Chain(SHORT, 0)]),  # W: the base gives the drawn answer
    Sample([base(0), Chain(SHORT, 0)], finished=False),
    Sample([], finished=False),
    Sample([base(0)], gold=-1, target=-1),
]
CONTROL_SAMPLES = [
    Sample([base(0), Chain(SHORT, 0), Chain(LONG, 1)], target=1),
    Sample([base(0), Chain(SHORT, 0)], target=1),
    Sample([base(0), Chain(SHORT, 0)], target=1),
    Sample([base(2), Chain(SHORT, 1), Chain(LONG, 1)], target=1),
    Sample([base(2), Chain(SHORT, 1)], target=1),
    Sample([base(1), Chain(SHORT, 1)], target=1),
    Sample([base(0), Chain(SHORT, 1)], target=1, finished=False),
    Sample([], finished=False, target=1),
    Sample([base(0)], gold=-1, target=-1),
]


def found(tmp_path: Path, samples: list[Sample], control: bool = False) -> Findings:
    path = File(samples, CONTROL if control else {}).write(tmp_path / f"{control}.h5")
    with Run.open(path) as run:
        return find(collect(run), str(path))


def test_shares_of_a_run_are_as_planted(tmp_path: Path) -> None:
    f = found(tmp_path, RUN)
    assert f.base == Share(3, 6)
    assert f.shorter == Share(2, 3)
    assert f.corrected == Share(2, 3)
    assert f.any_right == Share(5, 6)


def test_counts_leave_out_unfinished_samples_and_those_without_target(tmp_path: Path) -> None:
    o = found(tmp_path, RUN).outcomes
    assert (o.n_in_file, o.n_finished, o.n_unfinished, o.n_without_target) == (9, 7, 2, 1)
    assert o.n_chains == 4 + 3 + 4 + 4 + 2 + 2
    assert o.n_simulations == 6 * 200
    assert (o.n_not_scored, o.n_base_not_scored) == (1, 0)


def test_means_of_a_run_are_as_planted(tmp_path: Path) -> None:
    f = found(tmp_path, RUN)
    right, corrected = f.depths_right, f.depths_corrected
    assert (right.base.value, right.base.n) == (6, 3)
    assert right.shortest_right.value == pytest.approx((3 + 6 + 5) / 3)
    assert right.shortest_right_unique.value == pytest.approx((3 + 6 + 5) / 3)
    assert corrected.shortest_right.value == pytest.approx((7 + 5) / 2)
    assert corrected.shortest_right_unique.value == pytest.approx((5 + 5) / 2)  # LONG[:-1] has 0 1 2 3 4
    assert f.evaluations_to_right.value == pytest.approx((3 + 2) / 2)
    assert f.tree_depth.value == pytest.approx((1 + 2 + 3 + 1 + 1 + 3 + 1 + 2 + 1 + 1 + 1) / 19)
    assert f.tree_depth.n == 19


def test_repeated_layers_count_in_depth_but_once_as_different_layers(tmp_path: Path) -> None:
    f = found(tmp_path, [Sample([base(1), Chain(LONG, 0)])])
    assert (f.depths_corrected.shortest_right.value, f.depths_corrected.shortest_right_unique.value) == (8, 6)


def test_chain_as_long_as_the_base_is_not_shorter(tmp_path: Path) -> None:
    other = (0, 1, 2, 2, 4, 5)
    assert len(other) == len(BASE)
    f = found(tmp_path, [Sample([base(0), Chain(other, 0)])])
    assert f.shorter == Share(0, 1)


def test_non_finite_base_counts_as_wrong_and_is_reported(tmp_path: Path) -> None:
    f = found(tmp_path, [Sample([base(None), Chain(SHORT, 0)])])
    assert f.base == Share(0, 1)
    assert f.corrected == Share(1, 1)
    assert (f.outcomes.n_not_scored, f.outcomes.n_base_not_scored) == (1, 1)


def test_no_right_samples_gives_empty_denominators(tmp_path: Path) -> None:
    f = found(tmp_path, [Sample([base(1), Chain(SHORT, 2)])])
    assert f.shorter == Share(0, 0)
    assert f.depths_right.base.value is None
    assert f.evaluations_to_right.value is None


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ([], "the file has no samples"),
        ([Sample([base(0)], finished=False)], "none of the 1 samples in the file is finished"),
        ([Sample([base(0)], gold=-1)], "none of the 1 finished samples has a target"),
    ],
)
def test_nothing_to_count_is_an_error_that_says_why(
    tmp_path: Path, samples: list[Sample], words: str
) -> None:
    with pytest.raises(RunError, match=words):
        found(tmp_path, samples)


def test_control_and_comparison_are_as_planted(tmp_path: Path) -> None:
    run, control = found(tmp_path, RUN), found(tmp_path, CONTROL_SAMPLES, control=True)
    assert control.base == Share(1, 6)
    assert control.shorter == Share(1, 1)
    assert control.corrected == Share(3, 5)
    c = compare(run, control)
    assert c.n_common == 6
    assert c.corrected is not None and c.corrected.value == pytest.approx(2 / 3 - 3 / 5)
    assert c.shorter is not None and c.shorter.value == pytest.approx(2 / 3 - 1)
    # Samples 3 and 4 alone: their bases give 2. Both searches reach theirs on 3, only the control on 4.
    assert (c.paired.n, c.paired.both, c.paired.only_control) == (2, 1, 1)
    assert (c.paired.run, c.paired.control) == (Share(1, 2), Share(2, 2))


def test_samples_are_paired_by_their_row_in_the_tasks(tmp_path: Path) -> None:
    run, control = found(tmp_path, RUN), found(tmp_path, CONTROL_SAMPLES, control=True)
    backwards = replace(control, outcomes=replace(control.outcomes, samples=control.outcomes.samples[::-1]))
    assert compare(run, backwards) == compare(run, control)


def test_disagreeing_base_predictions_and_gold_are_named(tmp_path: Path) -> None:
    run, control = found(tmp_path, RUN).outcomes, found(tmp_path, CONTROL_SAMPLES, control=True).outcomes
    assert disagreements(run, control) == []
    changed = replace(control, samples=(replace(control.samples[0], gold=2, base_prediction=3),))
    assert disagreements(run, changed) == [
        "gold of sample q0 (tasks row 0): run has 0, control has 2",
        "base_prediction of sample q0 (tasks row 0): run has 0, control has 3",
    ]


def pair(tmp_path: Path, changed: dict[str, str | None]) -> list[str]:
    one = File(RUN).write(tmp_path / "run.h5")
    two = File(CONTROL_SAMPLES, CONTROL | changed).write(tmp_path / "control.h5")
    with Run.open(one) as run, Run.open(two) as control:
        return mismatches(run, control)


def test_run_and_its_control_belong_together(tmp_path: Path) -> None:
    assert pair(tmp_path, {}) == []
    assert pair(tmp_path, {"git_hash": "abc", "created": "later", "run_id": "other"}) == []


@pytest.mark.parametrize(
    "key",
    [
        "model_fingerprint",
        "tasks_fingerprint",
        "numerics_id",
        "n_simulations",
        "preset",
        "space",
        "seed",
        "metric",
    ],
)
def test_mismatch_names_the_field_and_both_values(tmp_path: Path, key: str) -> None:
    with Run.open(File(RUN).write(tmp_path / "x.h5")) as run:
        ours = run.attribute(key)
    assert pair(tmp_path, {key: "other"}) == [f"{key}: run has {ours}, control has other"]
    assert pair(tmp_path, {key: None}) == [f"{key}: run has {ours}, control has (missing)"]


def test_two_runs_or_two_controls_do_not_belong_together(tmp_path: Path) -> None:
    assert any("expected `wrong-answer`" in reason for reason in pair(tmp_path, {"control": "none"}))
    path = File(CONTROL_SAMPLES, CONTROL).write(tmp_path / "two.h5")
    with Run.open(path) as control:
        assert any("is itself a control" in reason for reason in mismatches(control, control))


def outcome(index: int, target: int, reached: bool) -> SampleOutcome:
    """A sample whose base gives answer 2, gold 0, that a search for `target` reached or not."""
    chain = RightChain(5, 5) if reached else None
    return SampleOutcome(index, f"q{index}", 0, target, 2, 6, 10, 3 if reached else None, chain)


def findings_of(samples: list[SampleOutcome]) -> Findings:
    return find(Outcomes(tuple(samples), len(samples), len(samples), 0, len(samples), 0, 0, 0), "made")


def simulated(rng: np.random.Generator, p: float, q: float, n: int = 60) -> Comparison:
    ease = rng.random(n)  # shared by both searches: some samples are easy to move
    reached = [(ease + rng.random(n)) / 2 < np.sqrt(share / 2) for share in (p, q)]
    return compare(*(findings_of([outcome(i, t, bool(reached[t][i])) for i in range(n)]) for t in (0, 1)))


def test_without_an_effect_a_difference_is_claimed_in_about_one_of_twenty() -> None:
    # (ease + u) / 2 < sqrt(p / 2) has probability p for p <= 1/2. 400 pairs: standard error 1.1 points.
    rng = np.random.default_rng(3)
    claims = [simulated(rng, 0.4, 0.4).paired.difference for _ in range(400)]
    assert 0.02 <= sum(d is not None and d.interval.excludes_zero() for d in claims) / 400 <= 0.085


def test_a_large_effect_is_found_nearly_always() -> None:
    rng = np.random.default_rng(4)
    claims = [simulated(rng, 0.5, 0.2).paired.difference for _ in range(100)]
    assert sum(d is not None and d.interval.low > 0 for d in claims) >= 90
