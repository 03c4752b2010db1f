"""Reads what `cola cross` wrote (docs/format-cross.md): every chain of a list on every sample.

    with Cross.open("x.h5") as cross:
        cross.chains[["text", "length"]], cross.sample_ids, cross.gold
        for first, right in cross.blocks("right"):      arrays [samples, chains], larger than memory together
            ...
        cross.n_right                                   of each chain, over the samples with a gold answer
        cross.coverage(100)                             menu: share solved by K chains, K = 1 .. 100

Held in memory: the chains, and for a menu a bit a cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import h5py
import numpy as np
import pandas as pd
import xxhash

from cola_analysis.cells import share_columns
from cola_analysis.chain_keys import keys_of
from cola_analysis.chain_text import print_chain
from cola_analysis.error import RunError
from cola_analysis.open_file import OpenFile
from cola_analysis.read import Array
from cola_analysis.statistics import Share

FILETYPE, MAJOR_VERSION = "cola-cross", 1
NOT_EVALUATED = 255
"""Of results/outcome, in a file that is not complete."""
BLOCK_CELLS = 8_000_000
"""Cells of a table that are read at once; at least one row."""
BITS_SET = np.array([value.bit_count() for value in range(256)], dtype=np.uint8)
TABLES = ("outcome", "right", "prediction", "scores", "tokens")


class Cross(OpenFile):
    """An open X.h5. Use Cross.open; close it or use `with`."""

    def __init__(self, file: h5py.File, path: str) -> None:
        """Checks type, version and shapes and reads the chains."""
        super().__init__(file, path)
        self.attributes: dict[str, Any] = {key: _plain(value) for key, value in file.attrs.items()}
        self._check_type()
        self.sample_ids = _texts(self._read("samples/id_values"), self._read("samples/id_offsets"))
        self.sample_index = self._read("samples/index")
        self.gold = self._read("samples/gold")
        offsets = self._read("chains/layer_offsets").astype(np.int64)
        layers = self._read("chains/layer_values")
        if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(layers) or (np.diff(offsets) < 1).any():
            raise RunError(f"{path}: chains/layer_offsets do not fit chains/layer_values")
        self.layers: list[Array] = np.split(layers, offsets[1:-1])
        """The chains, in the file's order: ascending layer by layer."""
        self.keys: Array = keys_of(layers, offsets)
        """[chains]: numbers that are equal for equal chains, in any file (chain_keys.py)."""
        self.n_samples, self.n_chains = len(self.gold), len(self.layers)
        self._bits: Array | None = None
        if not len(self.sample_ids) == len(self.sample_index) == self.n_samples:
            raise RunError(f"{path}: samples/ has columns of unequal lengths")
        for name in ("outcome", "right", "prediction"):
            self._table(name)

    @property
    def complete(self) -> bool:
        """Whether every chain was evaluated on every sample."""
        return bool(self.attributes.get("complete"))

    @property
    def identity(self) -> dict[str, str]:
        """What decides the table."""
        return self._of_role("identity")

    @property
    def provenance(self) -> dict[str, str]:
        """How it was made, which decides nothing about it."""
        return self._of_role("provenance")

    def _of_role(self, role: str) -> dict[str, str]:
        keys = str(self.attributes.get(f"{role}_keys", "")).split("\n")
        return {key: str(self.attributes[key]) for key in keys if key in self.attributes}

    @property
    def base(self) -> int | None:
        """Which chain passes each layer of the model once, in order; None: it is not among them."""
        n_layers = int(self.attributes.get("n_model_layers", 0))
        whole = (i for i, chain in enumerate(self.layers) if np.array_equal(chain, np.arange(n_layers)))
        return next(whole, None)

    @property
    def choices(self) -> list[list[str]]:
        """The texts of each sample's choices; empty lists in a file of version 1.0, which has none."""
        if "texts/choice_offsets" not in self._file:
            return [[] for _ in range(self.n_samples)]
        texts = _texts(self._read("texts/choice_values"), self._read("texts/choice_offsets"))
        ends = np.cumsum(self._read("samples/n_candidates").astype(np.int64))
        if len(ends) != self.n_samples or (self.n_samples and ends[-1] != len(texts)):
            raise RunError(f"{self.path}: texts/choice_offsets do not fit samples/n_candidates")
        return [texts[a:b] for a, b in pairwise([0, *ends.tolist()])]

    @property
    def chains(self) -> pd.DataFrame:
        """One row a chain: text, length, n_right."""
        return pd.DataFrame(
            {
                "text": [print_chain(chain.tolist()) for chain in self.layers],
                "length": [len(chain) for chain in self.layers],
                "n_right": self.n_right,
            }
        )

    def blocks(self, name: str = "right", rows: int | None = None) -> Iterator[tuple[int, Array]]:
        """A table in pieces of whole rows: number of the first sample, and the array [rows, chains(, ..)]."""
        table = self._table(name)
        cells = int(np.prod(table.shape[1:]))
        step = rows or max(1, BLOCK_CELLS // cells)
        for first in range(0, self.n_samples, step):
            yield first, table[first : first + step]

    @property
    def n_right(self) -> Array:
        """[chains]: samples that each answers right."""
        return _count(self._columns())

    # --- menu

    def ranking(self) -> Array:
        """Chains by how many samples they solve; of equals the shorter, then the first in the file."""
        return self._ranking(self.n_right)

    def greedy(self, k: int = 100) -> list[tuple[int, int]]:
        """Each time the chain that solves most samples that are not solved yet: (chain, solved so far).

        Of equals the one of better ranking; ends when none adds a sample.
        """
        columns, total = self._columns(), 0
        chosen: list[tuple[int, int]] = []
        rank = np.empty(self.n_chains, dtype=np.int64)
        rank[self.ranking()] = np.arange(self.n_chains)
        left = np.full(columns.shape[1], 255, dtype=np.uint8)
        while len(chosen) < k:
            gain = _count(columns & left)
            best = int(np.lexsort((rank, -gain.astype(np.int64)))[0])
            if gain[best] == 0:
                break
            total += int(gain[best])
            left &= ~columns[best]
            chosen.append((best, total))
        return chosen

    def coverage(self, k: int = 100) -> pd.DataFrame:
        """Share of the samples with a gold answer that one of K chains solves, K = 1 .. k, with intervals.

        how: `greedy` and `most right` choose the chains on the samples that they are measured on, and so
        flatter themselves; `other samples`: the most right of one half of the samples, measured on the
        other half.
        """
        with_gold = int(np.count_nonzero(self.gold >= 0))
        if with_gold == 0:
            raise RunError(f"{self.path}: no sample has a known answer, so no menu")
        order = self.ranking()[:k]
        solved = np.maximum.accumulate(self._cells(order), axis=1).sum(axis=0)
        rows = [self._row("most right", i, int(order[i]), int(n), with_gold) for i, n in enumerate(solved)]
        rows += [self._row("greedy", i, chain, n, with_gold) for i, (chain, n) in enumerate(self.greedy(k))]
        rows += [
            self._row("other samples", i, None, int(n), with_gold)
            for i, n in enumerate(self._on_other_samples(k))
        ]
        return pd.DataFrame(rows)

    def _row(self, how: str, i: int, chain: int | None, hits: int, n: int) -> dict[str, Any]:
        text = "" if chain is None else print_chain(self.layers[chain].tolist())
        length = None if chain is None else len(self.layers[chain])
        return {"k": i + 1, "how": how, "text": text, "length": length} | share_columns(Share(hits, n), None)

    def _on_other_samples(self, k: int) -> Array:
        """Solved samples against K, each half with the other half's menu (halves by a hash of the id)."""
        half = np.array([xxhash.xxh3_64_intdigest(name.encode()) & 1 for name in self.sample_ids], dtype=bool)
        half &= self.gold >= 0
        solved = np.zeros(min(k, self.n_chains), dtype=np.int64)
        for measured in (half, ~half & (self.gold >= 0)):
            chosen = ~measured & (self.gold >= 0)
            n_right = _count(self._columns() & np.packbits(chosen))
            menu = self._ranking(n_right)[:k]
            solved += np.maximum.accumulate(self._cells(menu)[measured], axis=1).sum(axis=0)
        return solved

    def _ranking(self, n_right: Array) -> Array:
        length = np.array([len(chain) for chain in self.layers])
        return np.lexsort((np.arange(self.n_chains), length, -n_right.astype(np.int64)))

    def _cells(self, chains: Array) -> Array:
        """[samples, len(chains)] bool: solved."""
        bits = np.unpackbits(self._columns()[chains], axis=1, count=self.n_samples)
        return bits.T.astype(bool)

    def _columns(self) -> Array:
        """[chains, bytes]: results/right as bits, a row a chain."""
        if self._bits is None:
            self._bits = np.zeros((self.n_chains, (self.n_samples + 7) // 8), dtype=np.uint8)
            step = max(8, BLOCK_CELLS // self.n_chains // 8 * 8)  # whole bytes of bits
            for first, right in self.blocks("right", step):
                packed = np.packbits(right != 0, axis=0).T
                self._bits[:, first // 8 : first // 8 + packed.shape[1]] = packed
        return self._bits

    # --- the file

    def _table(self, name: str) -> h5py.Dataset:
        """A table of results/, with its shape checked."""
        table = self._file.get(f"results/{name}") if name in TABLES else None
        if not isinstance(table, h5py.Dataset):
            raise RunError(f"{self.path}: no table results/{name} (scores and tokens need --details)")
        if table.shape[:2] != (self.n_samples, self.n_chains):
            raise RunError(
                f"{self.path}: results/{name} is {table.shape}, expected {self.n_samples} x {self.n_chains}"
            )
        return table

    def _read(self, name: str) -> Array:
        data = self._file.get(name)
        if not isinstance(data, h5py.Dataset) or data.ndim != 1:
            raise RunError(f"{self.path}: no column {name}")
        values: Array = data[()]
        return values

    def _check_type(self) -> None:
        if self.attributes.get("filetype") != FILETYPE:
            raise RunError(
                f"{self.path}: filetype is {self.attributes.get('filetype')!r}, expected {FILETYPE!r}: "
                "not a file of `cola cross`"
            )
        version = np.atleast_1d(self.attributes.get("version", 0))
        if int(version[0]) != MAJOR_VERSION:
            raise RunError(f"{self.path}: version {version.tolist()}, expected {MAJOR_VERSION}.x")


def _count(bits: Array) -> Array:
    """Bits set in each row."""
    counts: Array = BITS_SET[bits].sum(axis=1, dtype=np.int64)
    return counts


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _texts(values: Array, offsets: Array) -> list[str]:
    raw, bounds = values.tobytes(), offsets.astype(np.int64).tolist()
    return [raw[a:b].decode("utf-8", "backslashreplace") for a, b in pairwise(bounds)]
