"""Chains that were found for one sample, on the other samples: robustness across questions.

    with Cross.open("x.h5") as cross:
        other_samples(result, cross)

A chain that was right for the sample it was searched for says little: the search was told the answer. On all
other samples it was not. Beside the share stands the base chain on the same samples, and, where there is a
control, how often the same chains give the answer that the control drew, on the samples whose base gives
neither. Intervals: pairs.py, since neither pairs nor chains are independent. Nothing larger than a few
numbers a sample, and a block of the table, is in memory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cola_analysis.bootstrap import Estimate
from cola_analysis.cells import Row, label_columns
from cola_analysis.cross import Cross
from cola_analysis.error import RunError
from cola_analysis.pairs import PairSums, of_samples, pair_mean
from cola_analysis.read import Array
from cola_analysis.results import Result
from cola_analysis.robustness import GROUPS, check_same_model, found_ids, original_id

ALL, RIGHT, WRONG, NEITHER = "all", "right at the base", "wrong at the base", "neither at the base"
"""Samples measured; neither: the base gives neither the right answer nor the one that the control drew."""


@dataclass(frozen=True)
class _Table:
    """What is known of each sample of the table, in its order; everything else is read block by block."""

    cross: Cross
    ids: list[str]
    gold: Array
    base: Array
    """What the base chain predicts."""
    drawn: Array | None
    """What the control's search looked for; -1: nothing. None: there is no control to compare with."""

    def groups(self) -> dict[str, Array]:
        """Samples by what the base predicts; only samples with a known answer."""
        known, right = self.gold >= 0, self.base == self.gold
        found = {ALL: known, RIGHT: known & right, WRONG: known & ~right}
        if self.drawn is not None:
            found[NEITHER] = known & ~right & (self.drawn >= 0) & (self.base != self.drawn)
        return found


def other_samples(result: Result, cross: Cross) -> pd.DataFrame:
    """One row a group of found chains and of measured samples; none for a group of which a chain is missing.

    Columns: table (the file), chains (whose), n_chains (samples that they were found for), measured, the
    share of pairs (a measured sample and another sample's chain) that are right, with n measured samples,
    the control's, and the base chain's share with the difference found - base.
    """
    check_same_model(result, cross.identity, cross.path)
    if not cross.complete:
        raise RunError(f"{cross.path}: not complete; finish it with `cola cross ... --resume`")
    table = _table(result, cross)
    rows = []
    for group, right in GROUPS.items():
        owner = _owners(result, cross, right)
        if owner is not None:
            rows += _rows(result, table, group, owner)
    return pd.DataFrame(rows)


def _table(result: Result, cross: Cross) -> _Table:
    base = cross.base
    if base is None:
        raise RunError(
            f"{cross.path}: the base chain is not among its chains, so there is nothing to compare them with"
        )
    predicted = np.concatenate([block[:, base] for _, block in cross.blocks("prediction")]).astype(np.int64)
    ids = [original_id(name) for name in cross.sample_ids]
    return _Table(cross, ids, cross.gold.astype(np.int64), predicted, _drawn(result, cross))


def _drawn(result: Result, cross: Cross) -> Array | None:
    """The control's targets: of the same tasks only, where a candidate's number means the same."""
    control = result.control
    if control is None or control.by_row:
        return None
    if control.identity.get("tasks_fingerprint") != cross.identity.get("tasks_fingerprint"):
        return None
    frame = control.scan.samples
    target = dict(zip(frame["index"].tolist(), frame["target"].tolist(), strict=True))
    return np.array([target.get(int(i), -1) for i in cross.sample_index], dtype=np.int64)


def _owners(result: Result, cross: Cross, right: bool) -> dict[str, int] | None:
    """The found chains of a group as numbers of the table's, by sample; None if it lacks one of them.

    A part of them would be a choice: a table of the chains that are right most often flatters them.
    """
    number = {int(key): i for i, key in enumerate(cross.keys)}
    keys = dict(zip(result.scan.samples["id"], result.scan.samples["shortest_key"].tolist(), strict=True))
    found = {name: number.get(keys[name], -1) for name in found_ids(result, right)}
    return None if not found or min(found.values()) < 0 else found


def _rows(result: Result, table: _Table, group: str, owners: dict[str, int]) -> list[Row]:
    place = {name: i for i, name in enumerate(dict.fromkeys([*owners, *table.ids]))}
    at = np.array([place[name] for name in table.ids])
    chain = np.full(len(place), -1)
    for name, number in owners.items():
        chain[place[name]] = number
    rows: list[Row] = []
    for measured, mask in table.groups().items():
        ours = _sums(table, mask, at, chain, table.gold)
        theirs = _sums(table, mask, at, chain, table.drawn) if measured == NEITHER else None
        base_right = np.zeros(len(place))
        base_right[at[mask]] = (table.base == table.gold)[mask]
        base = of_samples(base_right, ours.measured, ours.owner)
        apart = pair_mean(ours.minus(theirs)) if theirs else None
        rows.append(
            {**label_columns(result), "table": os.path.basename(table.cross.path), "chains": group}
            | {"n_chains": len(owners), "measured": measured}
            | _columns(pair_mean(ours, 0), pair_mean(theirs, 0) if theirs else None, apart)
            | _beside_base(pair_mean(base, 0), pair_mean(ours.minus(base)))
        )
    return rows


def _sums(table: _Table, mask: Array, at: Array, chain: Array, target: Array | None) -> PairSums:
    """Sums of `predicts the target` over pairs, in one pass through the table."""
    assert target is not None
    owner = chain >= 0
    weight = np.bincount(chain[owner], minlength=table.cross.n_chains).astype(np.float64)
    of_measured, of_chain = np.zeros(len(chain)), np.zeros(table.cross.n_chains)
    own = np.zeros(len(chain))
    for first, prediction in table.cross.blocks("prediction"):
        rows = np.flatnonzero(mask[first : first + len(prediction)])
        hit = prediction[rows] == target[first + rows, None]
        np.add.at(of_measured, at[first + rows], hit @ weight)
        of_chain += hit.sum(axis=0)
        mine = chain[at[first + rows]]
        np.add.at(own, at[first + rows], np.where(mine >= 0, hit[np.arange(len(rows)), mine], 0))
    n_measured = np.bincount(at[mask], minlength=len(chain))
    if (n_measured > 1).any():
        raise RunError(
            f"{table.cross.path}: has a question more than once (choices in several orders); "
            "give it with --robustness"
        )
    return PairSums(
        of_measured=of_measured - own,
        of_owner=np.where(owner, of_chain[chain] - own, 0.0),
        measured=n_measured > 0,
        owner=owner,
    )


def _columns(ours: Estimate, theirs: Estimate | None, apart: Estimate | None) -> Row:
    row: Row = {}
    for prefix, estimate in (("", ours), ("control_", theirs)):
        row[f"{prefix}share"] = estimate.value if estimate else None
        row[f"{prefix}n"] = estimate.n if estimate else None
        row[f"{prefix}low"] = estimate.low if estimate else None
        row[f"{prefix}high"] = estimate.high if estimate else None
    row["difference"] = apart.value if apart else None
    row["difference_low"] = apart.low if apart else None
    row["difference_high"] = apart.high if apart else None
    return row


def _beside_base(base: Estimate, apart: Estimate) -> Row:
    return {
        "base_share": base.value,
        "over_base": apart.value,
        "over_base_low": apart.low,
        "over_base_high": apart.high,
    }
