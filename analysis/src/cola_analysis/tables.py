"""Table 1, the transitions (figure 4) and the evaluations until the first success, as data frames.

Each function takes results (results.py) and gives one row a cell, with the share's denominator, interval
and control beside it (cells.SHARE_COLUMNS). `right` is relative to the target: in a control, the drawn
wrong answer, so that its transitions read "the drawn answer was given, and still is". Knows nothing of
drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from cola_analysis.cells import Row, count, label_columns, share_columns
from cola_analysis.read import Array
from cola_analysis.results import SPACES, Result
from cola_analysis.scan import Scan
from cola_analysis.statistics import mcnemar, newcombe_paired

Group = Callable[[pd.DataFrame], Array]

RIGHT, WRONG = "right at the base", "wrong at the base"
TRANSITIONS = ("original stays optimal", "C->C", "W->C", "W->W")
"""Right at the base and no shorter right chain; a shorter one; wrong and corrected; wrong and not."""


def table1(results: Sequence[Result]) -> pd.DataFrame:
    """Accuracy of the base chain, and of the best visited chain under each space, by model and benchmark.

    Columns: model, task, preset, column (base, skip only, recurrence only, both), the share and its
    control, and the fair comparison: fair_n samples whose base gives neither the right nor the drawn
    answer, of which fair_hits reached the right one, fair_control_hits the drawn one; their paired
    difference and McNemar's exact p.
    """
    rows: list[Row] = []
    for name, group in _by_setting(results).items():
        ordered = sorted(group, key=lambda r: list(SPACES).index(r.label.space))
        base = next((r for r in reversed(ordered) if r.control), ordered[-1])
        keys = dict(zip(("model", "task", "preset"), name, strict=True))
        rows.append({**keys, "column": "base", **_compared(base, _base_right)})
        for result in ordered:
            cell = {**keys, "column": SPACES[result.label.space], **_compared(result, _any_right)}
            rows.append(cell | fair_columns(result))
    return pd.DataFrame(rows)


def fair_columns(result: Result) -> Row:
    """Run against control on the samples whose base gives neither the right nor the drawn answer."""
    names = ("n", "hits", "control_hits", "difference", "difference_low", "difference_high", "mcnemar_p")
    row: Row = dict.fromkeys([f"fair_{name}" for name in names])
    if result.control is None:
        return row
    ours, theirs = result.scan.samples, result.control.scan.samples
    pairs = ours.merge(theirs, on="index", suffixes=("", "_control"))
    pairs = pairs[~pairs["base_right"] & ~pairs["base_right_control"]]
    a, b = pairs["n_right"].to_numpy() > 0, pairs["n_right_control"].to_numpy() > 0
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    apart = newcombe_paired(int(np.sum(a & b)), only_a, only_b, int(np.sum(~a & ~b)))
    row |= {"fair_n": len(pairs), "fair_hits": int(a.sum()), "fair_control_hits": int(b.sum())}
    if apart:
        row["fair_difference"], row["fair_mcnemar_p"] = apart.value, mcnemar(only_a, only_b)
        row["fair_difference_low"], row["fair_difference_high"] = apart.interval.low, apart.interval.high
    return row


def transitions(results: Sequence[Result]) -> pd.DataFrame:
    """Figure 4: the four shares of all samples, which add up to one; one row a run and transition."""
    rows = []
    for result in results:
        for name, group in zip(TRANSITIONS, (_stays, _shortened, _corrected, _never), strict=True):
            rows.append({**label_columns(result), "transition": name, **_compared(result, group)})
    return pd.DataFrame(rows)


def claims(results: Sequence[Result]) -> pd.DataFrame:
    """The paper's two claims: right samples with a shorter right chain, and wrong samples corrected."""
    rows: list[Row] = []
    for result in results:
        for name, group, of in (
            ("shorter chain", _shortened, _base_right),
            ("corrected", _corrected, _base_wrong),
        ):
            row = {**label_columns(result), "claim": name, **_compared(result, group, of)}
            rows.append(row | (fair_columns(result) if group is _corrected else {}))
    return pd.DataFrame(rows)


def first_success(results: Sequence[Result], points: Sequence[int] | None = None) -> pd.DataFrame:
    """Share of samples with a first success within so many evaluations (the base is the first).

    Success: for samples wrong at the base, a right chain; for right ones, a strictly shorter right chain.
    points: evaluations at which to look; default: all up to the most that any sample had.
    """
    rows = []
    for result in results:
        sides = [result.scan] + ([result.control.scan] if result.control else [])
        most = max((int(s.samples["n_chains"].max()) for s in sides if len(s.samples)), default=0)
        for group, column in ((WRONG, "first_right"), (RIGHT, "first_shorter")):
            for t in points or range(1, most + 1):
                ours, *theirs = [_within(scan, group, column, t) for scan in sides]
                rows.append(
                    {**label_columns(result), "group": group, "evaluations": t}
                    | share_columns(count(ours), count(theirs[0]) if theirs else None)
                )
    return pd.DataFrame(rows)


def _within(scan: Scan, group: str, column: str, t: int) -> Array:
    frame = scan.samples
    first = frame.loc[frame["base_right"] == (group == RIGHT), column].to_numpy()
    within: Array = (first > 0) & (first <= t)
    return within


def _by_setting(results: Sequence[Result]) -> dict[tuple[str, str, str], list[Result]]:
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        label = result.label
        groups.setdefault((label.model, label.task, label.preset), []).append(result)
    return groups


def _compared(result: Result, hits: Group, of: Group | None = None) -> Row:
    """A share of the run beside that of its control."""

    def share(scan: Scan) -> Array:
        chosen = hits(scan.samples)
        return chosen[of(scan.samples)] if of else chosen

    theirs = count(share(result.control.scan)) if result.control else None
    return share_columns(count(share(result.scan)), theirs)


def _base_right(frame: pd.DataFrame) -> Array:
    return np.asarray(frame["base_right"], dtype=bool)


def _base_wrong(frame: pd.DataFrame) -> Array:
    return ~_base_right(frame)


def _any_right(frame: pd.DataFrame) -> Array:
    found: Array = frame["n_right"].to_numpy() > 0
    return found


def _shortened(frame: pd.DataFrame) -> Array:
    shortened: Array = _base_right(frame) & (frame["first_shorter"].to_numpy() > 0)
    return shortened


def _stays(frame: pd.DataFrame) -> Array:
    stays: Array = _base_right(frame) & (frame["first_shorter"].to_numpy() == 0)
    return stays


def _corrected(frame: pd.DataFrame) -> Array:
    return np.asarray(~_base_right(frame) & _any_right(frame))


def _never(frame: pd.DataFrame) -> Array:
    return np.asarray(~_base_right(frame) & ~_any_right(frame))
