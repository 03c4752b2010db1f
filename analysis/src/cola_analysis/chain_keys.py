"""A number for every chain of a block, equal for equal chains: so that chains of different samples and
files can be compared by numpy alone.

    keys_of(block.layer_values, block.layer_bounds)        uint64, one a chain

A polynomial of scrambled layers modulo 2^64, scrambled once more. Two different chains get the same number
with a probability near 2^-64 a pair: about one in a hundred million for a million different chains. Nothing
is stored.
"""

from __future__ import annotations

import numpy as np

from cola_analysis.read import Array

FACTOR = 0x9E3779B97F4A7C15
"""Odd, so that its powers never become 0: 2^64 divided by the golden ratio."""


def keys_of(values: Array, bounds: Array) -> Array:
    """Keys of ragged rows, none of them empty."""
    if len(bounds) == 1:
        return np.zeros(0, dtype=np.uint64)
    lengths = np.diff(bounds)
    powers = np.full(int(lengths.max()), FACTOR, dtype=np.uint64)
    np.multiply.accumulate(powers, out=powers)
    place = np.arange(len(values)) - np.repeat(bounds[:-1], lengths)
    layers = _scrambled(np.arange(1, int(values.max()) + 2, dtype=np.uint64))
    keys: Array = np.add.reduceat(layers[values] * powers[place], bounds[:-1])
    return _scrambled(keys ^ lengths.astype(np.uint64))


def _scrambled(x: Array) -> Array:
    """The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection of 64-bit numbers."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Array = x ^ (x >> np.uint64(31))
    return result
