"""Intervals and tests against scipy and statsmodels, which share no code with ours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import contingency_tables, multitest, proportion

from cola_analysis.bootstrap import bootstrap, bootstrap_mean
from cola_analysis.conclude_set import holm
from cola_analysis.statistics import (
    EXACT_UP_TO,
    Share,
    mcnemar,
    newcombe_independent,
    wilson,
)

SKEWED = np.random.default_rng(1).geometric(0.2, 60).astype(float)


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (1, 10), (26, 46), (250, 500), (500, 500)])
def test_wilson_is_statsmodels(hits: int, n: int) -> None:
    theirs = proportion.proportion_confint(hits, n, method="wilson")
    ours = wilson(hits, n)
    assert (ours.low, ours.high) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("a", "n", "b", "m"), [(30, 40, 10, 40), (0, 12, 3, 9), (55, 100, 51, 90)])
def test_newcombe_is_statsmodels(a: int, n: int, b: int, m: int) -> None:
    theirs = proportion.confint_proportions_2indep(a, n, b, m, method="newcomb")
    ours = newcombe_independent(Share(a, n), Share(b, m))
    assert ours is not None
    assert (ours.interval.low, ours.interval.high) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (5, 0), (3, 9), (12, 11), (700, 640)])
def test_mcnemar_is_statsmodels(b: int, c: int) -> None:
    theirs = contingency_tables.mcnemar([[4, b], [c, 2]], exact=True).pvalue
    assert mcnemar(b, c) == pytest.approx(theirs if b + c else 1.0, rel=1e-9)


def test_mcnemar_of_many_samples_goes_over_without_a_step() -> None:
    half = EXACT_UP_TO // 2
    assert mcnemar(half + 300, half - 300) == pytest.approx(mcnemar(half + 301, half - 300), rel=0.03)


def test_holm_is_statsmodels() -> None:
    values = [0.04, 0.001, 0.2, 0.03, 0.03, 0.9]
    assert holm(values) == pytest.approx(multitest.multipletests(values, method="holm")[1].tolist())


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_bootstrap_of_a_mean_is_scipys(method: str) -> None:
    theirs = stats.bootstrap(
        (SKEWED,), np.mean, n_resamples=20_000, method=method, rng=np.random.default_rng(2)
    ).confidence_interval
    ours = bootstrap(SKEWED[:, None], lambda m: m[..., 0], "k", method=method, n_resamples=20_000)
    assert ours.value == pytest.approx(SKEWED.mean())
    error = 0.06 * (theirs.high - theirs.low)  # two draws of 20,000 differ by less than a third of this
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=error)


def test_bootstrap_of_a_ratio_is_scipys() -> None:
    rng = np.random.default_rng(3)
    used, base = rng.integers(20, 31, 50).astype(float), rng.integers(30, 33, 50).astype(float)
    theirs = stats.bootstrap(
        (used, base),
        lambda a, b, axis=-1: 1 - a.mean(axis=axis) / b.mean(axis=axis),
        paired=True,
        n_resamples=20_000,
        method="bca",
        rng=rng,
    ).confidence_interval
    columns = np.stack([used, base], axis=1)
    ours = bootstrap(columns, lambda m: 1 - m[..., 0] / m[..., 1], "k", n_resamples=20_000)
    error = 0.06 * (theirs.high - theirs.low)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=error)


def test_bca_is_not_the_percentile_interval_where_values_are_skewed() -> None:
    bca, percentile = (bootstrap_mean(SKEWED, "k", method=m) for m in ("bca", "percentile"))
    assert bca.low is not None and percentile.low is not None and bca.low > percentile.low


def test_an_interval_depends_on_its_key_and_seed_alone() -> None:
    first = bootstrap_mean(SKEWED, "one")
    bootstrap_mean(SKEWED, "between")
    assert bootstrap_mean(SKEWED, "one") == first
    assert bootstrap_mean(SKEWED, "two") != first
    assert bootstrap_mean(SKEWED, "one", seed=1) != first
    assert bootstrap_mean(SKEWED[::-1], "one") == first  # nor on the order of samples


def test_few_samples_have_no_interval() -> None:
    assert bootstrap_mean(np.zeros(0), "k").value is None
    one = bootstrap_mean(np.array([3.0]), "k")
    assert (one.value, one.n, one.interval) == (3.0, 1, None)
    alike = bootstrap_mean(np.full(5, 2.0), "k")
    assert (alike.low, alike.high) == (2.0, 2.0)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="bca or percentile"):
        bootstrap_mean(SKEWED, "k", method="basic")
