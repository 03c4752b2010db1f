"""Data frames as tables of a page: what belongs together in one cell, columns that never change in the
caption.

    view = table_view(frame)
    view.common, view.columns, view.rows

A share, or a mean, stands with its interval and its counts; its control's and the difference follow. Takes
the frames of collect.py by the names of their columns (cells.py); knows nothing of HTML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from cola_analysis.report_embed import clean

Row = dict[str, Any]

VALUES = ("share", "mean", "saved")
LABELS = ("model", "task", "preset", "space")
APART = ("difference", "over_base")
"""Differences of shares, with their intervals in NAME_low and NAME_high."""
TITLES = {
    "k": "K",
    "n_right": "samples right",
    "n_tried": "samples tried",
    "base_share": "base share",
    "over_base": "run minus base, points",
    "difference": "run minus control, points",
    "fair_difference": "same samples: run minus control, points",
}
MOST_ROWS = 1000
"""Rows of a table in the page; what is left out is said."""


@dataclass(frozen=True)
class Cell:
    """A value and what qualifies it: its interval and counts."""

    text: str
    detail: str = ""


@dataclass(frozen=True)
class Column:
    """A column's heading; numbers stand at the right."""

    title: str
    is_number: bool


@dataclass(frozen=True)
class TableView:
    """A table, ready to be written."""

    common: str
    """What is the same in all rows: model, task, preset, space."""
    columns: list[Column]
    rows: list[list[Cell]]
    n_left_out: int


def table_view(frame: pd.DataFrame) -> TableView:
    """A frame as a table of at most MOST_ROWS rows."""
    shown = frame.head(MOST_ROWS)
    common = [n for n in LABELS if n in frame and len(frame) > 1 and frame[n].nunique(dropna=False) == 1]
    value = next((name for name in VALUES if name in frame), None)
    columns: list[Column] = []
    cells: list[list[Cell]] = []
    records: list[Row] = shown.to_dict("records")
    for name in frame.columns:
        if name in common or _is_part(name, value):
            continue
        made = [_cell(record, str(name), value) for record in records]
        if str(name).startswith(("control_", "fair_", "difference")) and all(c.text == "-" for c in made):
            continue  # there is no control
        is_number = pd.api.types.is_numeric_dtype(frame[name]) or _heads(str(name), value)
        columns.append(Column(_title(str(name), value), bool(is_number)))
        cells.append(made)
    return TableView(
        common=clean(", ".join(str(frame[name].iloc[0]) for name in common)),
        columns=columns,
        rows=[list(row) for row in zip(*cells, strict=True)],
        n_left_out=len(frame) - len(shown),
    )


def _heads(name: str, value: str | None) -> bool:
    """Whether a column stands for a group of columns, of which it is the first to be read."""
    return name in (*APART, "fair_difference") or (value is not None and name in (value, f"control_{value}"))


def _is_part(name: str, value: str | None) -> bool:
    """Whether a column is shown in another's cell."""
    if _heads(name, value):
        return False
    if name in [f"{which}{end}" for which in APART for end in ("_low", "_high")] or name.startswith("fair_"):
        return True
    parts = ("hits", "n", "low", "high")
    return value is not None and name in (*parts, *(f"control_{part}" for part in parts))


def _title(name: str, value: str | None) -> str:
    if value and name == f"control_{value}":
        return "control"
    return TITLES.get(name, name.replace("_", " "))


def _cell(row: Row, name: str, value: str | None) -> Cell:
    if value and name in (value, f"control_{value}"):
        return _valued(row, value, name.removesuffix(value))
    if name in (*APART, "fair_difference"):
        return _apart(row, name)
    return Cell(_plain(row[name]))


def _valued(row: Row, value: str, prefix: str) -> Cell:
    parts: list[Any] = [row.get(f"{prefix}{name}") for name in (value, "low", "high", "n")]
    number, low, high, n = parts
    if _missing(number):
        return Cell("-")
    scale, digits, unit = (1, 2, "") if value == "mean" else (100, 1, " %")
    detail = "" if _missing(low) else f"[{scale * low:.{digits}f}, {scale * high:.{digits}f}] "
    hits = row.get(f"{prefix}hits")
    detail += f"n = {_count(n)}" if _missing(hits) else f"{_count(hits)} of {_count(n)}"
    return Cell(f"{scale * number:.{digits}f}{unit}", detail)


def _apart(row: Row, name: str) -> Cell:
    parts: list[Any] = [row.get(f"{name}{end}") for end in ("", "_low", "_high")]
    number, low, high = parts
    if _missing(number):
        return Cell("-")
    detail = "" if _missing(low) else f"[{100 * low:+z.1f}, {100 * high:+z.1f}]"
    if name == "fair_difference":
        hits, reached, n = (_count(row[f"fair_{key}"]) for key in ("hits", "control_hits", "n"))
        detail += f" {hits} against {reached} of {n}, p = {row['fair_mcnemar_p']:.2g}"
    return Cell(f"{100 * number:+z.1f}", detail)


def _plain(value: Any) -> str:
    if _missing(value):
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return clean(str(value))


def _count(value: Any) -> str:
    return "-" if _missing(value) else str(int(value))


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and pd.isna(value)) or value is pd.NA
