"""1,000 simulated runs with known truth, through a file: how often the intervals hold it.

All runs stand in one file, 40 samples each, so that the whole way is tried: chains, the pass over them,
shares and means. In every run a sample has its own ease; its chains share it, so they are relatives. An
interval that takes chains for independent must fail here, and a test sees that it does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from synthetic import BASE, LONG, SHORT, SHORTER, Chain, File, Sample, base

from cola_analysis.bootstrap import bootstrap
from cola_analysis.read import Run
from cola_analysis.scan import scan_run
from cola_analysis.statistics import Share, newcombe_independent, newcombe_paired, wilson

N_RUNS, N_SAMPLES, N_CHAINS = 1000, 40, 3
LAYERS = (SHORTER, SHORT, LONG)
EASES = np.array([0.05, 0.3, 0.8])
"""A sample's chains are all right with one of these probabilities, each as likely."""
P_BASE = EASES.mean()
P_ANY = 1 - ((1 - EASES) ** (N_CHAINS + 1)).mean()
P_CORRECTED = ((1 - EASES) * (1 - (1 - EASES) ** N_CHAINS)).sum() / (1 - EASES).sum()
STANDARD_ERROR = np.sqrt(0.95 * 0.05 / N_RUNS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[pd.DataFrame]:
    """The counted samples of each run."""
    rng = np.random.default_rng(5)
    n = N_RUNS * N_SAMPLES
    right = rng.random((n, N_CHAINS + 1)) < EASES[rng.integers(0, 3, n)][:, None]
    samples = [
        Sample(
            [base(0 if r[0] else 2), *(Chain(c, 0 if x else 2) for c, x in zip(LAYERS, r[1:], strict=True))]
        )
        for r in right.tolist()
    ]
    path = File(samples).write(tmp_path_factory.mktemp("simulated") / "run.h5")
    with Run.open(path) as run:
        frame = scan_run(run).samples
    return [frame.iloc[i : i + N_SAMPLES] for i in range(0, n, N_SAMPLES)]


def covered(intervals: Iterator[tuple[float, float]], truth: float) -> float:
    held = [low <= truth <= high for low, high in intervals]
    assert len(held) == N_RUNS
    return sum(held) / N_RUNS


def nominal(rate: float, slack: float = 0.01) -> bool:
    """Within three standard errors of 95 %, and a point for what is only approximately 95 %."""
    return abs(rate - 0.95) < 3 * STANDARD_ERROR + slack


def wilsons(hits: Iterator[tuple[int, int]]) -> Iterator[tuple[float, float]]:
    for k, n in hits:
        ends = wilson(k, n)
        yield ends.low, ends.high


def test_wilson_covers_the_share_of_a_run(runs: list[pd.DataFrame]) -> None:
    assert nominal(covered(wilsons((int(f["base_right"].sum()), len(f)) for f in runs), P_BASE))
    assert nominal(covered(wilsons((int((f["n_right"] > 0).sum()), len(f)) for f in runs), P_ANY))


def test_wilson_covers_a_share_whose_denominator_is_random(runs: list[pd.DataFrame]) -> None:
    wrong = [f[~f["base_right"]] for f in runs]
    assert nominal(covered(wilsons((int((f["n_right"] > 0).sum()), len(f)) for f in wrong), P_CORRECTED))


def test_an_interval_over_chains_is_far_too_narrow(runs: list[pd.DataFrame]) -> None:
    chains = ((int(f["n_right"].sum()), int(f["n_chains"].sum())) for f in runs)
    assert covered(wilsons(chains), P_BASE) < 0.88


def test_bootstrap_over_samples_covers_the_share_of_chains(runs: list[pd.DataFrame]) -> None:
    def intervals() -> Iterator[tuple[float, float]]:
        for i, f in enumerate(runs):
            sums = f[["n_right", "n_chains"]].to_numpy(dtype=float)
            found = bootstrap(sums, lambda m: m[..., 0] / m[..., 1], f"{i}", n_resamples=400)
            assert found.interval is not None
            yield found.interval.low, found.interval.high

    assert nominal(covered(intervals(), P_BASE), slack=0.015)


def test_bootstrap_covers_a_mean_depth(runs: list[pd.DataFrame]) -> None:
    """Mean depth of the shortest right chain, over samples that have one."""
    orders = [(len(c), p) for c, p in ((SHORTER, 1), (SHORT, 2), (BASE, 0), (LONG, 3))]
    total = sum(d * (EASES * (1 - EASES) ** i).mean() for i, (d, _) in enumerate(orders))
    found = [f.loc[f["n_right"] > 0, "shortest_depth"].to_numpy() for f in runs]
    estimates = [
        bootstrap(values[:, None], lambda m: m[..., 0], f"{i}", n_resamples=600)
        for i, values in enumerate(found)
    ]
    ends = ((e.interval.low, e.interval.high) for e in estimates if e.interval)
    assert nominal(covered(ends, total / P_ANY), slack=0.015)


def test_differences_between_two_runs_are_covered(runs: list[pd.DataFrame]) -> None:
    """Of two runs, and of the base and the best chain on the same samples."""

    def apart() -> Iterator[tuple[float, float]]:
        for f, g in zip(runs, runs[1:] + runs[:1], strict=True):
            a, b = (Share(int((x["n_right"] > 0).sum()), len(x)) for x in (f, g))
            found = newcombe_independent(a, b)
            assert found is not None
            yield found.interval.low, found.interval.high

    def paired() -> Iterator[tuple[float, float]]:
        for f in runs:
            base_right, any_right = f["base_right"].to_numpy(), (f["n_right"] > 0).to_numpy()
            counts = [base_right & any_right, any_right & ~base_right, base_right & ~any_right]
            both, only_any, only_base = (int(c.sum()) for c in counts)
            found = newcombe_paired(both, only_any, only_base, len(f) - both - only_any - only_base)
            assert found is not None
            yield found.interval.low, found.interval.high

    assert nominal(covered(apart(), 0.0), slack=0.015)
    assert nominal(covered(paired(), P_ANY - P_BASE), slack=0.015)
