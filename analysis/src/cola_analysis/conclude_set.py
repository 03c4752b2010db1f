"""What may be concluded from several files together, in plain words: robustness, menus, compute, and how many
comparisons were made.

conclude.py words one run beside its control; this adds what needs more than those two. Takes frames, gives
paragraphs. Knows nothing of files or layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from cola_analysis.other_samples import ALL, NEITHER
from cola_analysis.results import SPACES, Result

Row = dict[str, Any]
LEVEL = 0.05


def conclude_set(results: Sequence[Result], frames: dict[str, pd.DataFrame]) -> list[str]:
    """The paragraphs, in order; none where there is nothing to say."""
    told = [
        *_chance(frames["table1"]),
        *_spaces(frames["table1"]),
        *_saved(frames["compute_saved"]),
        *_robust(frames.get("robustness")),
        *_elsewhere(frames.get("other_samples")),
        *_menu(frames.get("coverage")),
    ]
    if not any(result.control for result in results):
        told.append(
            "No control was given, so nothing above separates a search that finds right answers from one "
            "that reaches any answer."
        )
    return told


def _chance(table1: pd.DataFrame) -> list[str]:
    """All searches against their controls on the same samples, corrected for looking at several."""
    rows = [r for r in table1.to_dict("records") if r["column"] != "base" and _is(r.get("fair_difference"))]
    if not rows:
        return []
    adjusted = holm([float(r["fair_mcnemar_p"]) for r in rows])
    told = []
    for row, p in zip(rows, adjusted, strict=True):
        name = f"{row['model']}, {row['task']}, {row['preset']}, {row['column']}"
        counts = (
            f"{_n(row['fair_hits'])} right answers against {_n(row['fair_control_hits'])} drawn wrong ones "
            f"on the same {_n(row['fair_n'])} samples"
        )
        what = _explained(float(row["fair_difference"]), p)
        told.append(f"{name}: {counts} (McNemar, exact{_holm(len(rows))}: p = {p:.2g}). {what}")
    return told


def _explained(difference: float, p: float) -> str:
    if p >= LEVEL:
        return (
            "Chance alone is enough to explain this result: these samples do not show that right answers are "
            "reached more often than arbitrary ones."
        )
    if difference > 0:
        return "Chance alone does not explain this: right answers are reached more often than arbitrary ones."
    return "The search reaches arbitrary answers more often than right ones: no correction beyond chance."


def holm(values: list[float]) -> list[float]:
    """p values adjusted for their number (S. Holm, Scandinavian Journal of Statistics 6, 1979, 65-70)."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[i]))
        adjusted[i] = largest
    return adjusted


def _holm(n: int) -> str:
    return f", adjusted for {n} comparisons by Holm's method" if n > 1 else ""


def _spaces(table1: pd.DataFrame) -> list[str]:
    """The ablation, where a setting has several spaces."""
    told = []
    for (model, task, preset), rows in table1.groupby(["model", "task", "preset"], sort=False):
        searched = rows[rows["column"] != "base"]
        if len(searched) < 2:
            continue
        cells = [f"{r['column']} {_share(r)}" for r in searched.to_dict("records")]
        told.append(
            f"{model}, {task}, {preset}: some visited chain is right for {'; '.join(cells)}. These searches "
            "share their samples, and a larger space holds the smaller ones' chains but not their order of "
            "trying, so compare the shares with care; each control shows how much of its share any answer "
            "reaches."
        )
    return told


def _saved(frame: pd.DataFrame) -> list[str]:
    told = []
    for row in frame.to_dict("records"):
        if row["over"] != "all samples" or row["unit"] != "layers" or not _is(row["saved"]):
            continue
        text = (
            f"{row['model']}, {row['task']}, {row['preset']}, {SPACES.get(row['space'], row['space'])}: "
            "answering every "
            "sample that is right at the base by its shortest right chain, and all others by the base, would "
            "save "
            f"{_percent(row, 'saved')} of the layers at equal accuracy"
        )
        if _is(row["control_saved"]):
            text += "; keeping the answers that the control drew where the base gives them, "
            text += f"{100 * row['control_saved']:.1f} %"
        told.append(text + ". Only an oracle knows which chain that is.")
    return told


def _robust(frame: pd.DataFrame | None) -> list[str]:
    told = []
    for row in [] if frame is None else frame.to_dict("records"):
        if row["what"] != "found chain" or not row["n"]:
            continue
        text = (
            f"{row['asked']}: of the {_samples(row['n'])} ({row['group']}) of {_setting(row)} that were "
            f"asked differently, the found chain is right each time for {_percent(row, 'share')}"
        )
        if _is(row["control_share"]):
            text += (
                "; the control's chains give their drawn answer again for "
                f"{100 * row['control_share']:.1f} % of {_n(row['control_n'])}"
            )
        rest = "" if row["hits"] == row["n"] else " The rest was right for one wording of the question only."
        told.append(f"{text}.{rest}")
    return told


def _elsewhere(frame: pd.DataFrame | None) -> list[str]:
    """Found chains on the samples that they were not found for: one paragraph a run and group of chains."""
    told = []
    keys = ["model", "task", "preset", "space", "table", "chains"]
    for (*_, table, chains), rows in [] if frame is None else frame.groupby(keys, sort=False):
        by = {row["measured"]: row for row in rows.to_dict("records")}
        whole = by[ALL]
        if not _is(whole["share"]):
            continue
        text = (
            f"{table}: the chains found for {_samples(whole['n_chains'])} ({chains}) of {_setting(whole)}, "
            f"each run on all of {_samples(whole['n'])} but its own, are right for "
            f"{_percent(whole, 'share')}; the base chain is on the same ones for "
            f"{100 * whole['base_share']:.1f} %. {_against_base(whole)}"
        )
        if NEITHER in by and _is(by[NEITHER]["difference"]):
            text += " " + _against_drawn(by[NEITHER])
        told.append(text)
    return told


def _against_base(row: Row) -> str:
    low, high = row["over_base_low"], row["over_base_high"]
    if not _is(low):
        return "These are too few to tell the two apart."
    ends = f"95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
    ends = f"(difference {100 * row['over_base']:+.1f} points, {ends})"
    if low > 0:
        return f"So on questions that they were not chosen for they are better than the base {ends}."
    if high < 0:
        return f"So away from the question that they were chosen for they are worse than the base {ends}."
    return f"The two cannot be told apart on questions that the chains were not chosen for {ends}."


def _against_drawn(row: Row) -> str:
    text = (
        f"Where the base gives neither the right nor the drawn wrong answer ({row['n']} samples) they are "
        f"right for {100 * row['share']:.1f} % and give the drawn one for {100 * row['control_share']:.1f} %"
    )
    if not _is(row["difference_low"]):
        return text + "."
    ends = f"{100 * row['difference_low']:+.1f} to {100 * row['difference_high']:+.1f} points"
    if row["difference_low"] > 0:
        return f"{text}: there they lean towards right answers (95 % interval of the difference {ends})."
    return f"{text}: no sign that they lean towards right answers (95 % interval of the difference {ends})."


def _menu(frame: pd.DataFrame | None) -> list[str]:
    if frame is None or not len(frame):
        return []
    told = []
    for (model, task, preset, _), rows in frame.groupby(["model", "task", "preset", "space"], sort=False):
        last = rows[rows["how"] == "other samples"].iloc[-1].to_dict()
        text = (
            f"{model}, {task}, {preset}: a menu of {last['k']}, chosen on other samples, holds a right chain "
            f"for {_percent(last, 'share')}"
        )
        if _is(last["base_share"]):
            text += f" (base alone {100 * last['base_share']:.1f} %)"
        if _is(last["control_share"]):
            drawn = f"{100 * last['control_share']:.1f} %"
            text += f"; a menu of as many reaches the answer that the control drew for {drawn}"
        told.append(text + ". Choosing among them takes a router that this does not measure.")
    return told


def _setting(row: Row) -> str:
    return f"{row['model']}, {row['task']}, {row['preset']}, {SPACES.get(row['space'], row['space'])}"


def _samples(n: Any) -> str:
    return f"{_n(n)} sample{'' if int(n) == 1 else 's'}"


def _percent(row: Row, value: str) -> str:
    ends = f" (95 % interval {100 * row['low']:.1f} to {100 * row['high']:.1f} %)" if _is(row["low"]) else ""
    return f"{100 * row[value]:.1f} %{ends}"


def _share(row: Row) -> str:
    text = f"{_percent(row, 'share')} of {_n(row['n'])}"
    return text + (f", control {100 * row['control_share']:.1f} %" if _is(row["control_share"]) else "")


def _is(value: Any) -> bool:
    return value is not None and not pd.isna(value)


def _n(value: Any) -> str:
    return str(int(value))
