"""Chains of whole samples as numpy arrays, a block at a time: what the loops over large files are made of.

    for block in blocks(run):
        block.column("reward"), block.lengths, block.sample          one entry a chain of the block

frames.py hands out the same as pandas data frames, for people. Knows the format, not what the numbers mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from cola_analysis.frames import DEFAULT_BLOCK, sample_blocks
from cola_analysis.read import Array, Run


class Block:
    """Chains [first, last) of the file: those of its samples [first_sample, last_sample)."""

    def __init__(self, run: Run, first_sample: int, last_sample: int) -> None:
        self.run = run
        self.first_sample, self.last_sample = first_sample, last_sample
        bounds = run.chain_offsets[first_sample : last_sample + 1]
        self.first, self.last = int(bounds[0]), int(bounds[-1])
        self.starts: Array = bounds - bounds[0]
        """Chains of the block's i-th sample: starts[i] up to starts[i + 1]."""
        self._columns: dict[str, Array] = {}

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def n_samples(self) -> int:
        """Samples of the block, those without chains included."""
        return self.last_sample - self.first_sample

    def column(self, name: str) -> Array:
        """A column of chains/."""
        if name not in self._columns:
            self._columns[name] = self.run.column(f"chains/{name}", self.first, self.last)
        return self._columns[name]

    def of_samples(self, name: str) -> Array:
        """A column of samples/, one entry a sample of the block."""
        return self.run.column(f"samples/{name}", self.first_sample, self.last_sample)

    def per_chain(self, name: str) -> Array:
        """A column of samples/, repeated for each chain."""
        return np.repeat(self.of_samples(name), np.diff(self.starts))

    @cached_property
    def sample(self) -> Array:
        """Each chain's sample, counted from the block's first."""
        return np.repeat(np.arange(self.n_samples), np.diff(self.starts))

    @cached_property
    def bases(self) -> Array:
        """Samples of the block that have chains; their base is the chain starts[i]."""
        return np.flatnonzero(np.diff(self.starts))

    @cached_property
    def _layers(self) -> tuple[Array, Array]:
        return self.run.ragged(
            "chains/layer_values", "chains/layer_offsets", self.first, self.last, self.run.n_chains
        )

    @property
    def layer_values(self) -> Array:
        """All chains, one after the other."""
        return self._layers[0]

    @property
    def layer_bounds(self) -> Array:
        """Layers of chain i: layer_values[layer_bounds[i]:layer_bounds[i + 1]]."""
        return self._layers[1]

    @cached_property
    def lengths(self) -> Array:
        """Layers executed by each chain."""
        return np.diff(self.layer_bounds)

    @cached_property
    def scores(self) -> tuple[Array, Array]:
        """Scores of all candidates: values and bounds."""
        return self.run.ragged("scores/values", "scores/offsets", self.first, self.last, self.run.n_chains)

    def gathered_layers(self, rows: Array) -> tuple[Array, Array]:
        """Layers of some chains, one after the other, and for each which of `rows` it belongs to."""
        lengths = self.lengths[rows]
        owner = np.repeat(np.arange(len(rows)), lengths)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.layer_values[np.repeat(self.layer_bounds[:-1][rows], lengths) + within], owner


def blocks(run: Run, n_chains: int = DEFAULT_BLOCK) -> Iterator[Block]:
    """The file from begin to end, about n_chains at a time."""
    for first, last in sample_blocks(run.chain_offsets, n_chains):
        yield Block(run, first, last)
