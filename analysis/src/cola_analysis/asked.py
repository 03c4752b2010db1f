"""Where found chains are looked up: a run, or a table of `cola cross`, whose questions are those of a search
asked differently, or its own.

    with open_asked("x.h5") as asked:
        found = asked.predictions(keys)         what each sample's chain of this key predicts; ABSENT: unknown
        asked.base_predictions()

Both kinds of file give the same; robustness.py and collect.py do not ask which it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import h5py
import numpy as np

from cola_analysis.blocks import blocks
from cola_analysis.chain_keys import keys_of
from cola_analysis.cross import FILETYPE, NOT_EVALUATED, Cross
from cola_analysis.read import Array, Run

ABSENT = -9
"""A prediction that the file does not have; any other is one of docs/format-run.md."""


class AskedRun:
    """A run: each sample has the chains that its search visited."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.path, self.identity, self.provenance = run.path, run.identity, run.provenance
        self.ids: list[str] = list(run.samples["id"])
        self.gold: Array = run.column("samples/gold").astype(np.int64)

    @property
    def choices(self) -> list[list[str]]:
        """The texts of each sample's choices, in the order in which they were asked."""
        return list(self._run.samples["choices"])

    def predictions(self, keys: Array) -> Array:
        """[samples]: by the sample's chain with the sample's key (0: no chain)."""
        return self._looked_up(keys)

    def base_predictions(self) -> Array:
        """[samples]: by the base chain."""
        return self._looked_up(None)

    def _looked_up(self, keys: Array | None) -> Array:
        found = np.full(self._run.n_samples, ABSENT, dtype=np.int64)
        for block in blocks(self._run):
            sample = block.first_sample + block.sample
            if keys is None:
                rows = np.flatnonzero(block.column("parent") == -1)
            else:
                wanted = keys_of(block.layer_values, block.layer_bounds) == keys[sample]
                rows = np.flatnonzero(wanted)
            found[sample[rows]] = block.column("prediction")[rows]
        return found


class AskedCross:
    """A table of `cola cross`: all samples have the same chains."""

    def __init__(self, cross: Cross) -> None:
        self._cross = cross
        self.path, self.identity, self.provenance = cross.path, cross.identity, cross.provenance
        self.ids: list[str] = cross.sample_ids
        self.gold: Array = cross.gold.astype(np.int64)

    @property
    def choices(self) -> list[list[str]]:
        """The texts of each sample's choices, in the order in which they were asked."""
        return self._cross.choices

    def predictions(self, keys: Array) -> Array:
        """[samples]: by the sample's chain with the sample's key (0: no chain)."""
        number = {int(key): i for i, key in enumerate(self._cross.keys)}
        return self._looked_up(np.array([number.get(int(key), -1) for key in keys], dtype=np.int64))

    def base_predictions(self) -> Array:
        """[samples]: by the base chain."""
        base = self._cross.base
        return self._looked_up(np.full(self._cross.n_samples, -1 if base is None else base))

    def _looked_up(self, chain: Array) -> Array:
        """[samples]: by the chain of this number; -1: none."""
        parts = []
        outcomes = self._cross.blocks("outcome")
        for (first, outcome), (_, prediction) in zip(outcomes, self._cross.blocks("prediction"), strict=True):
            rows, column = np.arange(len(outcome)), chain[first : first + len(outcome)]
            known = (column >= 0) & (outcome[rows, column] != NOT_EVALUATED)
            parts.append(np.where(known, prediction[rows, column], ABSENT))
        return np.concatenate(parts).astype(np.int64)


Asked = AskedRun | AskedCross


def is_cross(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that `cola cross` wrote it; one that cannot be opened does not."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return file.attrs.get("filetype") in (FILETYPE, FILETYPE.encode())
    except OSError:
        return False


@contextmanager
def open_asked(path: str | os.PathLike[str]) -> Iterator[Asked]:
    """A file of either kind; RunError names what is wrong with it."""
    if is_cross(path):
        with Cross.open(path) as cross:
            yield AskedCross(cross)
    else:
        with Run.open(path) as run:
            yield AskedRun(run)
