"""Menus: few chains for all samples. Which chains solved most samples, and what share K of them solve
together.

    candidates(run, 100)                 the chains that a search found right most often: input of `cola
    cross` coverage(run, control, 100)          share solved against K, of a run in which every sample has
    the same chains

A menu chosen and measured on the same samples flatters itself, so each is also chosen on one half of the
samples and measured on the other. The control asks the same of the drawn wrong answers: K chains reach many
of these, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xxhash

from cola_analysis.blocks import blocks
from cola_analysis.cells import count, share_columns
from cola_analysis.chain_keys import keys_of
from cola_analysis.chain_text import print_chain
from cola_analysis.error import RunError
from cola_analysis.read import Array, Run

MOST_CELLS = 1_000_000_000
"""Samples times chains of a table that is held in memory, one byte each."""


def candidates(run: Run, k: int = 100) -> pd.DataFrame:
    """The k chains that were right for most samples of a search, the base included; the shorter of equals
    first.

    Columns: text, length, n_right, n_tried (samples whose search visited the chain: it chose them).
    """
    keys, right, lengths = [], [], []
    for block in blocks(run):
        keys.append(keys_of(block.layer_values, block.layer_bounds))
        right.append(block.column("reward") == 1)
        lengths.append(block.lengths.astype(np.uint16))
    if not keys:
        return pd.DataFrame(columns=["text", "length", "n_right", "n_tried"])
    _, first, which, tried = np.unique(
        np.concatenate(keys), return_index=True, return_inverse=True, return_counts=True
    )
    n_right = np.bincount(which[np.concatenate(right)], minlength=len(first))
    length = np.concatenate(lengths)[first]
    best = np.lexsort((first, length, -n_right))[:k]
    texts = [print_chain(_layers(run, int(first[i])).tolist()) for i in best]
    return pd.DataFrame(
        {"text": texts, "length": length[best], "n_right": n_right[best], "n_tried": tried[best]}
    )


def coverage(run: Run, control: Run | None = None, k: int = 100) -> pd.DataFrame:
    """Share of samples that one of the K best chains of the menu solves, K = 1 .. k.

    run: every sample has the same chains (`cola cross`, or preset exhaustive); chains that some sample
    lacks are left out. control: where the drawn answers come from. Columns: k, text and length of the k-th
    chain, base_share, how (`same samples`, or `other samples`: chosen on one half, measured on the other)
    and the share.
    """
    theirs = _control_table(run, control) if control else None
    return coverage_of(MenuTable.of(run, None), theirs, k)


def coverage_of(ours: MenuTable, theirs: MenuTable | None, k: int = 100) -> pd.DataFrame:
    """As coverage, of tables that are at hand."""
    rows = []
    order = ours.ranking(np.ones(len(ours.solved), dtype=bool))[:k]
    texts = [ours.text(int(i)) for i in order]
    for how in ("same samples", "other samples"):
        covered = ours.covered(how, k)
        reached = theirs.covered(how, k) if theirs else None
        for number in range(covered.shape[1]):
            other = None
            if (
                reached is not None
            ):  # of fewer chains in the control the last column holds for all that follow
                other = count(reached[:, min(number, reached.shape[1] - 1)])
            rows.append(
                {
                    "k": number + 1,
                    "how": how,
                    "text": texts[number],
                    "length": int(ours.length[order[number]]),
                }
                | {"base_share": float(ours.base.mean())}
                | share_columns(count(covered[:, number]), other)
            )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class MenuTable:
    """Which chain solves which sample."""

    solved: Array
    """[samples, chains], bool."""
    row: Array
    """[chains]: a number that orders chains of equal merit, as the row in chains/ that holds one."""
    length: Array
    base: Array
    """[samples]: whether the base chain solves it."""
    first_half: Array
    """[samples]: which half a sample is in (halves_of)."""
    text: Callable[[int], str]
    """The text form of the i-th chain, asked for few of them."""

    @classmethod
    def of(cls, run: Run, targets: dict[int, int] | None) -> MenuTable:
        """targets: what to look for by row in tasks.h5; None: the run's own."""
        index = run.column("samples/index").astype(np.int64)
        target = run.column("samples/target").astype(np.int64)
        if targets is not None:
            target = np.array([targets.get(int(i), -1) for i in index])
        counted = (run.column("samples/finished") != 0) & (target >= 0)
        kept: list[tuple[Array, ...]] = []
        for block in blocks(run):
            rows = np.flatnonzero(counted[block.first_sample : block.last_sample][block.sample])
            sample = block.first_sample + block.sample[rows]
            keys = keys_of(block.layer_values, block.layer_bounds)[rows]
            hit = block.column("prediction")[rows] == target[sample]
            kept.append((keys, sample.astype(np.int32), hit, rows + block.first, block.lengths[rows]))
        if not kept or not counted.any():
            raise RunError(f"{run.path}: no finished sample with a target, so no menu")
        keys, sample, hit, row, length = (np.concatenate(part) for part in zip(*kept, strict=True))
        numbers = np.cumsum(counted) - 1
        return _pivot(run, keys, numbers[sample], hit, row, length, np.flatnonzero(counted))

    def ranking(self, chosen: Array) -> Array:
        """Chains by how many of the chosen samples they solve; of equals the shorter, then the older."""
        return np.lexsort((self.row, self.length, -self.solved[chosen].sum(axis=0)))

    def covered(self, how: str, k: int) -> Array:
        """[samples, min(k, chains)]: solved by one of the first chains of the menu."""
        result = np.zeros((len(self.solved), min(k, self.solved.shape[1])), dtype=bool)
        halves = (self.first_half, ~self.first_half) if how == "other samples" else ()
        for half in halves or (np.zeros(len(self.solved), dtype=bool),):
            menu = self.ranking(~half)[:k] if (~half).any() else self.ranking(half)[:k]
            measured = half if halves else ~half
            result[measured] = np.maximum.accumulate(self.solved[np.ix_(measured, menu)], axis=1)
        return result


def _pivot(
    run: Run, keys: Array, sample: Array, hit: Array, row: Array, length: Array, at: Array
) -> MenuTable:
    """The table of the chains that every sample has."""
    unique, first, which, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    complete = np.flatnonzero(counts == len(at))
    if len(complete) == 0:
        raise RunError(
            f"{run.path}: no chain was evaluated on every sample; make such a run with `cola cross`"
        )
    if len(complete) * len(at) > MOST_CELLS:
        raise RunError(f"{run.path}: {len(complete)} chains on {len(at)} samples are too many for a menu")
    column = np.full(len(unique), -1)
    column[complete] = np.arange(len(complete))
    solved = np.zeros((len(at), len(complete)), dtype=bool)
    inside = column[which] >= 0
    solved[sample[inside], column[which][inside]] = hit[inside]
    base = hit[np.flatnonzero(np.diff(sample, prepend=-1))]
    rows = row[first[complete]]
    return MenuTable(
        solved=solved,
        row=rows,
        length=length[first[complete]],
        base=base,
        first_half=halves_of([run.sample_id(int(i)) for i in at]),
        text=lambda i: print_chain(_layers(run, int(rows[i])).tolist()),
    )


def halves_of(ids: Sequence[str]) -> Array:
    """Which half each sample is in, by a hash of its id: the same in every file."""
    return np.array([xxhash.xxh3_64_intdigest(name.encode()) & 1 for name in ids], dtype=bool)


def _control_table(run: Run, control: Run) -> MenuTable:
    """The same chains asked for the drawn answers; without choices, the control's own chains."""
    if run.by_row:
        return MenuTable.of(control, None)
    index, target = control.column("samples/index"), control.column("samples/target")
    return MenuTable.of(run, dict(zip(index.tolist(), target.tolist(), strict=True)))


def _layers(run: Run, row: int) -> Any:
    return run.ragged("chains/layer_values", "chains/layer_offsets", row, row + 1, run.n_chains)[0]
