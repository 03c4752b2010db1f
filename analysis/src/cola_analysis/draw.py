"""What all figures share: colours, one panel a model and benchmark, curves and points with their intervals.

The run is drawn solid with filled marks, its control dashed with hollow ones, in the same colour; spaces
differ in colour (Okabe and Ito's, which colour-blind people tell apart) and in marker. SVG files of equal
frames are equal byte by byte: no date, fixed ids. Takes data frames, knows nothing of files or of what is
counted.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cola_analysis.results import SPACES

BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#595959"
SKY, ORANGE, PURPLE = "#56B4E9", "#E69F00", "#CC79A7"
SPACE_STYLE = {"both": (BLUE, "o"), "skip": (VERMILION, "s"), "repeat": (GREEN, "^")}
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "cola",
    "text.parse_math": False,  # a dollar sign in a model's name is no mathematics
}
SETTING = ["model", "task", "preset"]
COLUMNS_OF_PANELS = 3
PANEL = (4.6, 3.2)
"""Inches."""
WIDEST_TITLE = 46
"""Characters of a line that a panel has room for."""


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes an SVG file and closes the figure."""
    with plt.rc_context(STYLE):
        try:
            figure.savefig(path, format="svg", metadata={"Date": None, "Creator": "cola-analysis"})
        finally:
            plt.close(figure)


def panels(frame: pd.DataFrame, by: list[str], title: str) -> tuple[Figure, list[tuple[str, Any, Axes]]]:
    """A figure with one panel for each group of rows: its name, its rows, its axes."""
    with plt.rc_context(STYLE):
        groups = list(frame.groupby(by, sort=False)) if len(frame) else []
        n = max(len(groups), 1)
        n_columns = min(COLUMNS_OF_PANELS, n)
        n_rows = -(-n // n_columns)
        figure, axes = plt.subplots(
            n_rows,
            n_columns,
            figsize=(PANEL[0] * n_columns + 0.4, PANEL[1] * n_rows + 0.9),
            squeeze=False,
            layout="constrained",
        )
        figure.suptitle(title, fontsize=11)
        for spare in axes.flat[len(groups) :]:
            spare.set_axis_off()
        if not groups:
            axes.flat[0].text(0.5, 0.5, "no samples to show", ha="center", va="center", color=GREY)
        found = []
        for (key, rows), panel in zip(groups, axes.flat, strict=False):
            name = ", ".join(str(part) for part in key if part != "")
            panel.set_title("\n".join(textwrap.wrap(name, WIDEST_TITLE)), loc="left")
            panel.grid(axis="y", color="0.9")
            found.append((name, rows, panel))
    return figure, found


def by_space(rows: pd.DataFrame) -> Iterator[tuple[str, str, str, Any]]:
    """Space, colour, marker and rows, in the order of the paper's table."""
    for space in dict.fromkeys([*SPACES, *rows["space"]]):
        chosen = rows[rows["space"] == space]
        if len(chosen):
            colour, marker = SPACE_STYLE.get(space, (PURPLE, "D"))
            yield space, colour, marker, chosen


def curve(
    axes: Axes, x: Any, rows: pd.DataFrame, y: str, colour: str, label: str, scale: float = 100
) -> None:
    """A run's curve with its band, and its control's, dashed."""
    for prefix, line, alpha in (("", "solid", 0.18), ("control_", "dashed", 0.08)):
        values = numbers(rows, prefix + y)
        if np.all(np.isnan(values)):
            continue
        name = f"{label}, control" if prefix else label
        mark = "o" if len(values) == 1 else None  # a line of one point would not be seen
        axes.plot(x, scale * values, color=colour, linestyle=line, linewidth=1.6, marker=mark, label=name)
        low, high = numbers(rows, prefix + "low"), numbers(rows, prefix + "high")
        axes.fill_between(x, scale * low, scale * high, color=colour, alpha=alpha, linewidth=0)


def points(
    axes: Axes, x: Any, rows: pd.DataFrame, y: str, colour: str, marker: str, label: str, scale: float = 100
) -> None:
    """A run's values with error bars at x, and its control's, hollow, a little to the right."""
    for prefix, shift, fill in (("", 0.0, colour), ("control_", 0.18, "white")):
        values = numbers(rows, prefix + y)
        if np.all(np.isnan(values)):
            continue
        low, high = numbers(rows, prefix + "low"), numbers(rows, prefix + "high")
        errors = np.nan_to_num(np.stack([np.maximum(values - low, 0), np.maximum(high - values, 0)]))
        name = f"{label}, control" if prefix else label
        axes.errorbar(
            np.asarray(x) + shift,
            scale * values,
            scale * errors,
            fmt=marker,
            color=colour,
            markerfacecolor=fill,
            capsize=3,
            linewidth=1.4,
            markersize=6,
            label=name,
        )


def numbers(rows: pd.DataFrame, column: str) -> Any:
    """A column as floats, NaN where there is nothing."""
    return pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def legend(figure: Figure, axes: list[Axes]) -> None:
    """One legend below all panels."""
    with plt.rc_context(STYLE):
        handles: dict[str, Any] = {}
        for panel in axes:
            for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        if handles:
            figure.legend(
                handles.values(),
                handles.keys(),
                loc="outside lower center",
                ncols=min(max(int(figure.get_figwidth() // 2.2), 1), len(handles)),
                frameon=False,
            )
