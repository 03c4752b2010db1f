"""Found chains on the samples that they were not found for: against a count spelled out, and the coverage of
the intervals."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import BASE, LONG, SHORT, SHORTER, Chain, CrossFile, File, Sample, base

from cola_analysis.cli import main
from cola_analysis.conclude_set import _elsewhere as elsewhere
from cola_analysis.cross import Cross
from cola_analysis.other_samples import ALL, NEITHER, RIGHT, WRONG, other_samples
from cola_analysis.pairs import PairSums, of_samples, pair_mean
from cola_analysis.read import RunError
from cola_analysis.results import Result, load
from cola_analysis.write import markdown

CONTROL = {"control": "wrong-answer"}
CHAINS = (BASE, SHORT, SHORTER, LONG)
PREDICTED = [
    (0, 0, 2, 2),
    (0, 1, 0, 2),
    (2, 0, 1, 0),
    (1, 3, 0, 0),
    (2, 1, 1, 1),
    (0, 0, 0, 3),
    (3, 2, 1, 0),
]
"""By sample, the base and the three others; gold 0, drawn answer 1."""
FOUND = {0: SHORT, 1: SHORTER, 2: SHORT, 3: SHORTER, 5: SHORTER, 6: LONG}
"""Sample 2 has LONG, too, but SHORT is shorter."""


def samples(target: int | None = None) -> list[Sample]:
    return [
        Sample([base(p[0]), *(Chain(c, x) for c, x in zip(CHAINS[1:], p[1:], strict=True))], target=target)
        for p in PREDICTED
    ]


@pytest.fixture
def result(tmp_path: Path) -> Result:
    run = File(samples()).write(tmp_path / "run.h5")
    return load([run], [File(samples(1), CONTROL).write(tmp_path / "control.h5")])[0]


def expected(group: str, measured: str) -> tuple[float, float, float, int]:
    """Share right, share that gives the drawn answer, the base's share, samples measured."""
    bases = [p[0] for p in PREDICTED]
    owners = [i for i in FOUND if (bases[i] == 0) == group.startswith("shorter")]
    kept = {
        ALL: lambda b: True,
        RIGHT: lambda b: b == 0,
        WRONG: lambda b: b != 0,
        NEITHER: lambda b: b not in (0, 1),
    }[measured]
    at = [j for j in range(len(PREDICTED)) if kept(bases[j])]
    pairs = [(PREDICTED[j][CHAINS.index(FOUND[i])], bases[j]) for j, i in product(at, owners) if i != j]
    n = len(pairs)
    return (
        sum(p == 0 for p, _ in pairs) / n,
        sum(p == 1 for p, _ in pairs) / n,
        sum(b == 0 for _, b in pairs) / n,
        len(at),
    )


def test_shares_are_those_counted_pair_by_pair(tmp_path: Path, result: Result) -> None:
    with Cross.open(CrossFile(CHAINS, PREDICTED).write(tmp_path / "x.h5")) as cross:
        frame = other_samples(result, cross)
    assert len(frame) == 8 and frame["n_chains"].tolist() == [3] * 8
    for row in frame.to_dict("records"):
        share, drawn, base_share, n = expected(row["chains"], row["measured"])
        assert row["share"] == pytest.approx(share) and row["n"] == n
        assert row["base_share"] == pytest.approx(base_share)
        assert row["over_base"] == pytest.approx(share - base_share)
        if row["measured"] == NEITHER:
            assert row["control_share"] == pytest.approx(drawn)
            assert row["difference"] == pytest.approx(share - drawn)
        else:
            assert pd.isna(row["control_share"]) and pd.isna(row["difference"])


def test_tables_of_other_tasks_are_of_other_samples_but_for_equal_ids(tmp_path: Path, result: Result) -> None:
    ids = [f"p{i}" for i in range(6)] + ["q6"]
    other = CrossFile(CHAINS, PREDICTED, ids=ids, changed={"tasks_fingerprint": "other"})
    with Cross.open(other.write(tmp_path / "x.h5")) as cross:
        frame = other_samples(result, cross)
    assert NEITHER not in set(frame["measured"])  # a candidate's number means something else there
    row = frame[(frame["chains"].str.startswith("corrected")) & (frame["measured"] == ALL)].iloc[0]
    owners = [2, 3, 6]
    pairs = [
        PREDICTED[j][CHAINS.index(FOUND[i])] == 0 for j, i in product(range(7), owners) if (j, i) != (6, 6)
    ]
    assert row["share"] == pytest.approx(sum(pairs) / len(pairs)) and row["n"] == 7


def test_a_table_without_one_of_the_chains_is_not_used_for_their_group(
    tmp_path: Path, result: Result
) -> None:
    some = [0, 1, 2]  # without LONG, which corrected sample 6
    table = CrossFile(CHAINS[:3], [[p[i] for i in some] for p in PREDICTED])
    with Cross.open(table.write(tmp_path / "x.h5")) as cross:
        assert set(other_samples(result, cross)["chains"]) == {"shorter chain (C->C)"}
    twice = CrossFile(CHAINS, PREDICTED[:2], ids=["q0#r1", "q0#r2"], changed={"tasks_fingerprint": "other"})
    with Cross.open(twice.write(tmp_path / "y.h5")) as cross, pytest.raises(RunError, match="more than once"):
        other_samples(result, cross)


def test_the_command_says_how_found_chains_do_elsewhere(
    tmp_path: Path, result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    table = CrossFile(CHAINS, PREDICTED).write(tmp_path / "x.h5")
    files = [result.path, "--control", str(tmp_path / "control.h5"), "--cross", str(table)]
    assert main(files) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "x.h5: the chains found for 3 samples (corrected (W->C)) of xxh3:22222222" in said
    assert "both, each run on all of 7 samples but its own" in said
    with Cross.open(table) as cross:
        page = markdown(other_samples(result, cross))
    assert page.count("| xxh3:") == 8 and "n = 7" in page and "run - base" in page


def words(**changed: object) -> str:
    """What is said of one group of chains; `changed`: of the rows of all samples, and of `neither`."""
    label = {"model": "m", "task": "t", "preset": "p", "space": "both", "table": "x.h5", "chains": "c"}
    row = {**label, "n_chains": 5, "measured": ALL, "share": 0.5, "n": 40, "low": 0.4, "high": 0.6}
    row |= {"base_share": 0.4, "over_base": 0.1, "over_base_low": 0.02, "over_base_high": 0.18}
    row |= {"control_share": 0.3, "difference": 0.2, "difference_low": 0.1, "difference_high": 0.3}
    return elsewhere(pd.DataFrame([{**row, **changed}, {**row, "measured": NEITHER, **changed}]))[0]


def test_words_follow_the_intervals() -> None:
    assert "better than the base" in words() and "lean towards right answers (95" in words()
    worse = words(over_base=-0.1, over_base_low=-0.2, over_base_high=-0.01)
    assert "worse than the base" in worse and "better" not in worse
    assert "cannot be told apart" in words(over_base_low=-0.01)
    assert "no sign that they lean" in words(difference_low=-0.01)
    assert "too few" in words(over_base_low=None, over_base_high=None)


N_RUNS, N_SAMPLES = 1000, 40


def table(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Right or not, [samples, chains of samples]: questions and chains are easy or hard; and the base."""
    ease = rng.choice([-1.0, 0.0, 1.5], N_SAMPLES)
    merit = rng.choice([-0.8, 0.6], N_SAMPLES)
    chance = 1 / (1 + np.exp(-(ease[:, None] + merit)))
    return rng.random((N_SAMPLES, N_SAMPLES)) < chance, rng.random(N_SAMPLES) < 1 / (1 + np.exp(-ease))


def sums(right: np.ndarray) -> PairSums:
    apart = right * (1.0 - np.eye(len(right)))
    every = np.ones(len(right), dtype=bool)
    return PairSums(apart.sum(axis=1), apart.sum(axis=0), every, every)


def test_intervals_over_pairs_cover_at_their_rate_and_over_independent_pairs_do_not() -> None:
    rng = np.random.default_rng(3)
    grid = [1 / (1 + np.exp(-(e + m))) for e in (-1.0, 0.0, 1.5) for m in (-0.8, 0.6)]
    truth, base_truth = np.mean(grid), np.mean([1 / (1 + np.exp(-e)) for e in (-1.0, 0.0, 1.5)])
    held = apart_held = naive_held = 0
    for _ in range(N_RUNS):
        right, base_right = table(rng)
        ours = sums(right)
        base_sums = of_samples(base_right.astype(float), ours.measured, ours.owner)
        found, apart = pair_mean(ours), pair_mean(ours.minus(base_sums))
        assert found.interval and apart.interval and found.value is not None
        held += found.interval.low <= truth <= found.interval.high
        apart_held += apart.interval.low <= truth - base_truth <= apart.interval.high
        half = 1.96 * np.sqrt(found.value * (1 - found.value) / (N_SAMPLES * (N_SAMPLES - 1)))
        naive_held += abs(found.value - truth) <= half
    error = 3 * np.sqrt(0.95 * 0.05 / N_RUNS) + 0.015
    assert abs(held / N_RUNS - 0.95) < error, held
    assert abs(apart_held / N_RUNS - 0.95) < error, apart_held
    assert naive_held / N_RUNS < 0.5


def test_the_jackknife_is_that_of_leaving_out_one_sample() -> None:
    rng = np.random.default_rng(4)
    right, _ = table(rng)
    measured, owner = rng.random(40) < 0.7, rng.random(40) < 0.4
    mask = np.outer(measured, owner) & ~np.eye(40, dtype=bool)

    def mean(kept: np.ndarray) -> float:
        chosen = mask & np.outer(kept, kept)
        return float(right[chosen].mean())

    taking = np.flatnonzero(measured | owner)
    without = np.array([mean(np.arange(40) != i) for i in taking])
    n = len(taking)
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    kept = right * mask
    found = pair_mean(PairSums(kept.sum(axis=1), kept.sum(axis=0), measured, owner))
    assert found.interval and found.value == pytest.approx(mean(np.ones(40, dtype=bool)))
    assert found.interval.high - found.value == pytest.approx(1.959964 * error)


def test_few_samples_have_no_interval() -> None:
    one = np.array([True, False])
    other = np.array([False, True])
    none = pair_mean(PairSums(np.zeros(2), np.zeros(2), one, one))
    assert none.value is None and none.interval is None
    pair = pair_mean(PairSums(np.array([1.0, 0.0]), np.array([0.0, 1.0]), one, other))
    assert pair.value == 1.0 and pair.interval is None
