"""Intervals against published values, and their coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from cola_analysis.statistics import Interval, Share, newcombe_independent, newcombe_paired, wilson

# Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 17 (1998) 857-872, table I.
PUBLISHED_WILSON = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
]

# Newcombe, independent proportions, Stat. Med. 17 (1998) 873-890, table II, method 10.
PUBLISHED_INDEPENDENT = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (10, 10, 0, 10, 0.6075, 1.0),
]


@pytest.mark.parametrize(("hits", "n", "low", "high"), PUBLISHED_WILSON)
def test_wilson_equals_published_values(hits: int, n: int, low: float, high: float) -> None:
    interval = wilson(hits, n)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


def test_wilson_of_one_in_two_by_hand() -> None:
    # p = 1/2: the half width is z / (2 sqrt(n + z^2)); n = 4, z = 2: 2 / (2 sqrt 8) = 0.35355
    interval = wilson(2, 4, z=2.0)
    assert interval.low == pytest.approx(0.5 - 8**-0.5, abs=1e-12)
    assert interval.high == pytest.approx(0.5 + 8**-0.5, abs=1e-12)


def test_wilson_limits_solve_their_equation() -> None:
    for hits, n in [(1, 3), (7, 40), (39, 40), (250, 500)]:
        for p in (wilson(hits, n).low, wilson(hits, n).high):
            assert abs(hits / n - p) == pytest.approx(1.959963984540054 * (p * (1 - p) / n) ** 0.5, rel=1e-9)


def test_wilson_at_the_ends_is_exact_and_mirrored() -> None:
    assert wilson(0, 7).low == 0.0
    assert wilson(7, 7).high == 1.0
    assert wilson(0, 7).high == pytest.approx(1.0 - wilson(7, 7).low, abs=1e-12)


def test_wilson_refuses_impossible_counts() -> None:
    for hits, n in [(0, 0), (3, 2), (-1, 2)]:
        with pytest.raises(ValueError, match="wilson needs"):
            wilson(hits, n)


def test_share_with_empty_denominator_has_no_value() -> None:
    assert Share(0, 0).value is None
    assert Share(0, 0).interval is None
    with pytest.raises(ValueError, match="0 <= hits <= n"):
        Share(2, 1)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.5, 0.9])
def test_wilson_coverage_is_near_nominal(p: float) -> None:
    # 1,000 draws of n = 50: the standard error of a coverage of 0.95 is 0.7 percentage points; Wilson's own
    # coverage at n = 50 swings by two points with p. Wald (0.92 at p = 0.05) or z = 1.64 fails.
    draws = np.random.default_rng(20250710).binomial(50, p, size=1000)
    covered = sum(wilson(int(k), 50).low <= p <= wilson(int(k), 50).high for k in draws)
    assert 0.93 <= covered / 1000 <= 0.98


@pytest.mark.parametrize(("a", "m", "b", "n", "low", "high"), PUBLISHED_INDEPENDENT)
def test_newcombe_independent_equals_published_values(
    a: int, m: int, b: int, n: int, low: float, high: float
) -> None:
    difference = newcombe_independent(Share(a, m), Share(b, n))
    assert difference is not None
    assert difference.value == pytest.approx(a / m - b / n)
    assert difference.interval.low == pytest.approx(low, abs=5e-5)
    assert difference.interval.high == pytest.approx(high, abs=5e-5)


def test_newcombe_paired_equals_published_values() -> None:
    # Newcombe, paired data, Stat. Med. 17 (1998) 2635-2650, table II, method 10.
    first = newcombe_paired(36, 12, 2, 0)
    assert first is not None
    assert (first.interval.low, first.interval.high) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    # Fagerland, Lydersen, Laake, "Recommended tests and confidence intervals for paired binomial
    # proportions", Stat. Med. 33 (2014) 2850-2875: airway hyper-responsiveness, square-and-add.
    second = newcombe_paired(1, 1, 7, 12)
    assert second is not None
    assert (second.interval.low, second.interval.high) == pytest.approx((-0.507, -0.026), abs=5e-4)


def test_newcombe_without_samples_gives_nothing() -> None:
    assert newcombe_independent(Share(0, 0), Share(1, 2)) is None
    assert newcombe_paired(0, 0, 0, 0) is None


def test_newcombe_difference_changes_sign_when_swapped() -> None:
    one = newcombe_independent(Share(30, 40), Share(9, 30))
    two = newcombe_independent(Share(9, 30), Share(30, 40))
    assert one is not None and two is not None
    assert one.interval.low == pytest.approx(-two.interval.high)
    assert one.interval.high == pytest.approx(-two.interval.low)


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.5), (0.8, 0.6), (0.1, 0.3)])
def test_newcombe_paired_coverage_is_near_nominal(p: float, q: float) -> None:
    # Both outcomes follow one uniform number in half of the samples: correlated, as run and control are.
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(1000):
        u, v = rng.random(60), rng.random(60)
        first, second = u < p, np.where(rng.random(60) < 0.5, u, v) < q
        d = newcombe_paired(
            int((first & second).sum()), int((first & ~second).sum()),
            int((~first & second).sum()), int((~first & ~second).sum()),
        )  # fmt: skip
        assert d is not None
        covered += d.interval.low <= p - q <= d.interval.high
    assert 0.93 <= covered / 1000 <= 0.98


def test_interval_excludes_zero_only_when_zero_is_outside() -> None:
    assert Interval(0.01, 0.2).excludes_zero()
    assert Interval(-0.2, -0.01).excludes_zero()
    assert not Interval(-0.01, 0.2).excludes_zero()
    assert not Interval(0.0, 0.2).excludes_zero()
