"""Bootstrap intervals of means and of functions of means, by resampling samples.

    bootstrap_mean(depths, key="figure 2, depth")                       Estimate(value, n, interval)
    bootstrap(columns, lambda m: 1 - m[..., 0] / m[..., 1], key="layers saved")

The rows that are drawn are samples, never chains: the chains of one sample are relatives, and an interval
over them would be far too narrow. A statistic over chains is written as a function of sums a sample (a
ratio of means). Random numbers are keyed by (seed, key), so one interval does not depend on which others
were computed before it.

Sources: percentile and BCa intervals, B. Efron, "Better bootstrap confidence intervals", JASA 82 (1987)
171-185; the acceleration comes from leaving out each sample once. Pure functions of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from cola_analysis.statistics import Interval

Array = NDArray[Any]

N_RESAMPLES = 2000
LEVEL = 0.95
DRAWS_AT_ONCE = 4_000_000
"""Numbers drawn at once: 32 MB."""

NORMAL = NormalDist()


@dataclass(frozen=True)
class Estimate:
    """A statistic over `n` samples; no value over none, no interval over fewer than two."""

    value: float | None
    n: int
    interval: Interval | None

    @property
    def low(self) -> float | None:
        """The interval's lower end."""
        return self.interval.low if self.interval else None

    @property
    def high(self) -> float | None:
        """The interval's upper end."""
        return self.interval.high if self.interval else None


def bootstrap_mean(values: Array, key: str, seed: int = 0, method: str = "bca") -> Estimate:
    """The mean of one value a sample, with its 95 % interval."""
    return bootstrap(np.asarray(values, dtype=np.float64)[:, None], _only_column, key, seed, method)


def bootstrap(
    columns: Array,
    statistic: Callable[[Array], Array],
    key: str,
    seed: int = 0,
    method: str = "bca",
    n_resamples: int = N_RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """A function of the means of columns [n samples, k], with its interval.

    statistic: [..., k] means -> [...]. method: `bca`, or `percentile`. Where all resamples give the same
    value (all samples alike) the interval is that value: it then says nothing about other samples.
    """
    if method not in ("bca", "percentile"):
        raise ValueError(f"method {method!r}, expected bca or percentile")
    n = len(columns)
    if n == 0:
        return Estimate(None, 0, None)
    rows, counts = np.unique(columns, axis=0, return_counts=True)
    value = float(statistic(counts @ rows / n))
    if n == 1:
        return Estimate(value, 1, None)
    drawn = np.sort(statistic(_resampled_means(rows, counts, _generator(seed, key), n_resamples)))
    ends = ((1 - level) / 2, (1 + level) / 2)
    if method == "bca":
        ends = _corrected_ends(ends, value, drawn, _left_out(rows, counts, statistic), counts)
    low, high = np.quantile(drawn, ends)
    return Estimate(value, n, Interval(float(low), float(high)))


def _only_column(means: Array) -> Array:
    column: Array = means[..., 0]
    return column


def _generator(seed: int, key: str) -> np.random.Generator:
    return np.random.Generator(
        np.random.Philox(key=np.array([seed, xxhash.xxh3_64_intdigest(key.encode())], "u8"))
    )


def _resampled_means(rows: Array, counts: Array, random: np.random.Generator, n_resamples: int) -> Array:
    """[n_resamples, k]. Drawing n samples of which many are alike is drawing how often each kind comes up."""
    n, kinds = int(counts.sum()), len(rows)
    shares = counts / n
    at_once = max(1, DRAWS_AT_ONCE // kinds)
    parts = [
        random.multinomial(n, shares, size=min(at_once, n_resamples - done)) @ rows / n
        for done in range(0, n_resamples, at_once)
    ]
    return np.concatenate(parts)


def _left_out(rows: Array, counts: Array, statistic: Callable[[Array], Array]) -> Array:
    """The statistic without one sample, for each kind of sample."""
    n = int(counts.sum())
    return statistic((counts @ rows - rows) / (n - 1))


def _corrected_ends(
    ends: tuple[float, float], value: float, drawn: Array, left_out: Array, counts: Array
) -> tuple[float, float]:
    """The quantiles that BCa takes instead of 0.025 and 0.975."""
    n_below = float(np.sum(drawn < value) + np.sum(drawn == value) / 2)
    below = min(max(n_below / len(drawn), 0.5 / len(drawn)), 1 - 0.5 / len(drawn))
    bias = NORMAL.inv_cdf(below)
    n = int(counts.sum())
    off = float(counts @ left_out) / n - left_out
    spread = float(counts @ off**2)
    acceleration = float(counts @ off**3) / (6 * spread**1.5) if spread > 0 else 0.0
    low, high = (_corrected(NORMAL.inv_cdf(end), bias, acceleration) for end in ends)
    return low, high


def _corrected(z: float, bias: float, acceleration: float) -> float:
    return NORMAL.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
