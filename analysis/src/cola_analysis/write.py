"""Findings as files: every table as CSV and Markdown, every figure as SVG, and one text that holds all of it.

    DIR/findings.md         what may be concluded, in words, and the tables
    DIR/tables/NAME.csv     every column, unrounded
    DIR/tables/NAME.md      for reading: share, counts, interval, control in one cell each
    DIR/figures/NAME.svg

Takes data frames and paragraphs; knows neither runs nor what is counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from cola_analysis.error import RunError

APART = {"difference": "run - control", "over_base": "run - base"}
"""Differences of shares, with their intervals in NAME_low and NAME_high, and what heads them."""
HIDDEN_IN_TEXT = 60
"""Rows of a table beyond which findings.md names the file instead of printing it."""

TITLES = {
    "table1": "Table 1: accuracy of the base and of the best visited chain",
    "claims": "The two claims of the paper",
    "transitions": "Figure 4: transitions",
    "depths": "Figure 2: depth of each sample's shortest right chain",
    "accuracy_by_depth": "Figure 3: accuracy against depth, by search space",
    "layer_use": "Figure 5: passes through each layer",
    "third_use": "Figure 5: passes through the layers of each third",
    "layer_edits": "Figure 6: layers skipped and repeated",
    "layer_repeats": "Figure 6: passes added to each layer",
    "shortest_shares": "Figure 7: depth of the shortest right chains",
    "first_success": "Evaluations until the first success",
    "pareto": "Pareto front of accuracy and layers",
    "compute_saved": "Compute saved at equal accuracy",
    "edit_map": "Single edits of the base chain",
    "coverage": "Menu coverage",
    "candidates": "Chains that were right for most samples",
    "robustness": "Found chains on questions asked differently",
    "other_samples": "Found chains on other samples",
}
"""By the names of frames and files."""


def markdown(frame: pd.DataFrame) -> str:
    """A table for reading: shares and means with counts, interval and control in one cell each."""
    shown = _compact(frame)
    lines = [_line(shown.columns), _line("---" for _ in shown.columns)]
    lines += [_line(row) for row in shown.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def write(out: str | os.PathLike[str], frames: dict[str, pd.DataFrame], text: list[str]) -> list[Path]:
    """Writes everything into a directory, which is made; gives the paths. RunError where it cannot."""
    from cola_analysis import draw, figures  # matplotlib takes a second to load

    root, written = Path(out), []
    try:
        for part in ("tables", "figures"):
            (root / part).mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            frame.to_csv(root / "tables" / f"{name}.csv", index=False)
            (root / "tables" / f"{name}.md").write_text(f"# {TITLES[name]}\n\n{markdown(frame)}")
            written += [root / "tables" / f"{name}.csv", root / "tables" / f"{name}.md"]
            if name in figures.FIGURES and len(frame):
                draw.save(figures.FIGURES[name](frame), root / "figures" / f"{name}.svg")
                written.append(root / "figures" / f"{name}.svg")
        (root / "findings.md").write_text(_report(frames, text))
    except OSError as error:
        raise RunError(f"{out}: cannot write the findings: {error}") from error
    return [root / "findings.md", *written]


def _report(frames: dict[str, pd.DataFrame], text: list[str]) -> str:
    from cola_analysis import figures

    parts = ["# Findings\n", *(paragraph + "\n" for paragraph in text)]
    for name, frame in frames.items():
        parts.append(f"## {TITLES[name]}\n")
        if len(frame) > HIDDEN_IN_TEXT:
            parts.append(f"{len(frame)} rows: [tables/{name}.md](tables/{name}.md), tables/{name}.csv\n")
        else:
            parts.append(markdown(frame))
        if name in figures.FIGURES and len(frame):
            parts.append(f"![{TITLES[name]}](figures/{name}.svg)\n")
    return "\n".join(parts)


def _compact(frame: pd.DataFrame) -> pd.DataFrame:
    """Replaces the columns of a share or mean, and of its control, by one each."""
    result = pd.DataFrame(index=frame.index)
    value = next((name for name in ("share", "mean", "saved") if name in frame), None)
    prefixes = ("", "control_") if value else ()
    parts = {f"{p}{c}" for p in prefixes for c in (value, "hits", "n", "low", "high")}
    parts |= {f"{name}{end}" for name in APART for end in ("", "_low", "_high")}
    for name in frame.columns:
        if name in parts:
            if name in (value, f"control_{value}"):
                prefix = "control_" if name != value else ""
                title = "control" if prefix else str(value)
                result[title] = [_cell(row, str(value), prefix) for row in frame.to_dict("records")]
            elif name in APART:
                result[APART[str(name)]] = [_apart(row, str(name)) for row in frame.to_dict("records")]
        elif name.startswith("fair_"):
            if name == "fair_difference":
                result["same samples"] = [_fair(row) for row in frame.to_dict("records")]
        else:
            result[name] = [_plain(v) for v in frame[name]]
    return result


def _cell(row: dict[str, Any], value: str, prefix: str) -> str:
    v, low, high = (row[f"{prefix}{name}"] for name in (value, "low", "high"))
    n = row[f"{prefix}n"]
    if pd.isna(v):
        return "-"
    if value == "mean":
        ends = "" if pd.isna(low) else f" [{low:.2f}, {high:.2f}]"
        return f"{v:.2f}{ends}, n = {int(n)}"
    ends = "" if pd.isna(low) else f" [{100 * low:.1f}, {100 * high:.1f}]"
    hits: Any = row.get(f"{prefix}hits")
    counts = f"n = {int(n)}" if pd.isna(hits) else f"{int(hits)}/{int(n)}"
    return f"{100 * v:.1f} %{ends} {counts}"


def _apart(row: dict[str, Any], name: str) -> str:
    if pd.isna(row[name]):
        return "-"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if pd.isna(low):
        return f"{100 * row[name]:+.1f}"
    return f"{100 * row[name]:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _fair(row: dict[str, Any]) -> str:
    """`+12.0 [+3.0, +20.1], 30 against 24 of 50, p = 0.02`."""
    if pd.isna(row["fair_difference"]):
        return "-"
    hits, reached, n = (int(row[f"fair_{name}"]) for name in ("hits", "control_hits", "n"))
    return (
        f"{_apart(row, 'fair_difference')}, {hits} against {reached} of {n}, p = {row['fair_mcnemar_p']:.2g}"
    )


def _plain(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _line(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
