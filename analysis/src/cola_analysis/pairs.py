"""Means over pairs of a sample and another sample's chain, and their intervals.

    pair_mean(PairSums(of_measured, of_owner, measured, owner))        Estimate(value, n, interval)

A chain that was found for one sample is measured on the others. Neither the pairs nor the chains are
independent: all pairs of a sample share its question, and all pairs of a chain share the sample that it was
found for. So the unit is the sample, with its question and its chain, and the interval comes from leaving out
one sample at a time, in both roles (the jackknife of a U-statistic: J. N. Arvesen, "Jackknifing
U-statistics", Annals of Mathematical Statistics 40, 1969, 2076-2100), with the normal quantile. Pure
functions of arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cola_analysis.bootstrap import Estimate
from cola_analysis.read import Array
from cola_analysis.statistics import Z_95, Interval


@dataclass(frozen=True)
class PairSums:
    """Sums over pairs, by sample: arrays of one length, an entry a sample in either role."""

    of_measured: Array
    """Over all other samples' chains: their values on this sample; 0 where it is not measured."""
    of_owner: Array
    """Over all other measured samples: the value of this sample's chain there; 0 where it has none."""
    measured: Array
    """Whether the sample is one of those measured."""
    owner: Array
    """Whether the sample has a chain."""

    def minus(self, other: PairSums) -> PairSums:
        """The sums of differences over the same pairs."""
        return PairSums(
            self.of_measured - other.of_measured, self.of_owner - other.of_owner, self.measured, self.owner
        )


def of_samples(values: Array, measured: Array, owner: Array) -> PairSums:
    """The sums of values that depend on the measured sample alone, whichever chain it is paired with."""
    kept = np.where(measured, values, 0.0)
    return PairSums(
        of_measured=kept * (np.count_nonzero(owner) - owner),
        of_owner=np.where(owner, kept.sum() - kept, 0.0),
        measured=measured,
        owner=owner,
    )


def pair_mean(sums: PairSums, low: float = -1.0, high: float = 1.0) -> Estimate:
    """The mean over pairs of two different samples; n: samples measured. The interval is cut to low .. high.

    No value without a pair, no interval where leaving out one sample leaves none.
    """
    measured, owner = sums.measured.astype(bool), sums.owner.astype(bool)
    n_measured, n_owners = int(measured.sum()), int(owner.sum())
    pairs_of = measured * (n_owners - owner) + owner * (n_measured - measured)
    total, n_pairs = float(sums.of_measured.sum()), n_measured * n_owners - int((measured & owner).sum())
    if n_pairs == 0:
        return Estimate(None, n_measured, None)
    value = total / n_pairs
    taking_part = measured | owner
    left = (n_pairs - pairs_of)[taking_part]
    if (left == 0).any():
        return Estimate(value, n_measured, None)
    without = (total - sums.of_measured - sums.of_owner)[taking_part] / left
    n = len(without)
    error = float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
    return Estimate(
        value, n_measured, Interval(max(low, value - Z_95 * error), min(high, value + Z_95 * error))
    )
