"""Intervals for shares and for differences of shares.

Pure functions of counts; they know nothing of runs or files. Sources:

- Wilson's score interval: E. B. Wilson, "Probable inference, the law of succession, and statistical
  inference", JASA 22 (1927) 209-212; without continuity correction.
- Difference of two independent shares: R. G. Newcombe, "Interval estimation for the difference between
  independent proportions: comparison of eleven methods", Statistics in Medicine 17 (1998) 873-890, method 10.
- Difference of two shares over the same samples: R. G. Newcombe, "Improved confidence intervals for the
  difference between binomial proportions based on paired data", Statistics in Medicine 17 (1998) 2635-2650,
  method 10.
- Whether two paired shares differ: Q. McNemar, "Note on the sampling error of the difference between
  correlated proportions or percentages", Psychometrika 12 (1947) 153-157; exact, by the binomial
  distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""The standard normal's 0.975 quantile: two-sided 95 %."""


EXACT_UP_TO = 100_000
"""Samples on which two outcomes differ, up to which McNemar's test sums the binomial distribution."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, both ends included."""

    low: float
    high: float

    def excludes_zero(self) -> bool:
        """Whether zero lies outside, so that a difference is distinguishable from none."""
        return self.low > 0.0 or self.high < 0.0


@dataclass(frozen=True)
class Share:
    """`hits` out of `n` samples; without a value where n is 0."""

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise ValueError(f"a share needs 0 <= hits <= n, got {self.hits} of {self.n}")

    @property
    def value(self) -> float | None:
        """hits / n, None for an empty denominator."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's 95 % interval, None for an empty denominator."""
        return wilson(self.hits, self.n) if self.n else None


@dataclass(frozen=True)
class Difference:
    """First share minus second, with its 95 % interval."""

    value: float
    interval: Interval


def wilson(hits: int, n: int, z: float = Z_95) -> Interval:
    """Wilson's score interval of hits / n: all p for which |hits/n - p| <= z sqrt(p (1 - p) / n)."""
    if n <= 0 or not 0 <= hits <= n:
        raise ValueError(f"wilson needs n >= 1 and 0 <= hits <= n, got {hits} of {n}")
    p = hits / n
    scale = 1.0 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n))
    # At the ends the formula gives exactly 0 and 1; rounding must not move them past the estimate.
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == n else centre + half
    return Interval(low, high)


def newcombe_independent(first: Share, second: Share, z: float = Z_95) -> Difference | None:
    """first - second for two independent groups; None where one is empty.

    The distance from each estimate to its own Wilson limit is squared and added.
    """
    return _square_and_add(first, second, correlation=0.0, z=z)


def newcombe_paired(
    both: int, only_first: int, only_second: int, neither: int, z: float = Z_95
) -> Difference | None:
    """First share minus second over the same samples, counted by which of the two hit; None without any.

    As newcombe_independent, less twice the product times the correlation phi of the two outcomes; where the
    numerator of phi is positive it is lowered by n / 2 at most to zero (the paper's continuity correction).
    """
    n = both + only_first + only_second + neither
    if n == 0:
        return None
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    numerator: float = both * neither - only_first * only_second
    if numerator > 0:
        numerator = max(numerator - n / 2, 0.0)
    correlation = numerator / math.sqrt(margins) if margins else 0.0
    return _square_and_add(Share(both + only_first, n), Share(both + only_second, n), correlation, z)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p of McNemar's test: among the samples on which two outcomes differ, each is as likely.

    The probability of a split at least as uneven as this one; 1 where no sample differs.
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    if n == 0:
        return 1.0
    if n > EXACT_UP_TO:  # beyond it the normal approximation, with continuity correction, is as good
        z = (abs(only_first - only_second) - 1) / math.sqrt(n)
        return min(1.0, math.erfc(max(z, 0.0) / math.sqrt(2)))
    log_total = math.lgamma(n + 1) - n * math.log(2)
    tail = sum(math.exp(log_total - math.lgamma(k + 1) - math.lgamma(n - k + 1)) for k in range(fewer + 1))
    return min(1.0, 2 * tail)


def _square_and_add(first: Share, second: Share, correlation: float, z: float) -> Difference | None:
    if first.n == 0 or second.n == 0:
        return None
    p, q = first.hits / first.n, second.hits / second.n
    a, b = wilson(first.hits, first.n, z), wilson(second.hits, second.n, z)
    below = _combine(p - a.low, b.high - q, correlation)
    above = _combine(a.high - p, q - b.low, correlation)
    return Difference(p - q, Interval(max(p - q - below, -1.0), min(p - q + above, 1.0)))


def _combine(x: float, y: float, correlation: float) -> float:
    return math.sqrt(max(x * x - 2.0 * correlation * x * y + y * y, 0.0))
