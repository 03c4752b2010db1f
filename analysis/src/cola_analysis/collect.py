"""All data frames of a set of runs, by the names of their files: what `cola-findings --out` writes and draws.

    frames = collect_frames(results, robustness=["reordered.h5"], cross=["cross.h5"])

The one list of what there is; the frames themselves are made in tables.py, depth.py, layers.py, menu.py,
robustness.py and other_samples.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import pandas as pd

from cola_analysis import depth, layers, menu, menu_cross, tables
from cola_analysis.asked import is_cross, open_asked
from cola_analysis.cells import label_columns
from cola_analysis.cross import Cross
from cola_analysis.error import RunError
from cola_analysis.flops import Flops
from cola_analysis.other_samples import other_samples
from cola_analysis.read import Run
from cola_analysis.results import Result, label_of
from cola_analysis.robustness import robustness

MAKERS: dict[str, Callable[[Sequence[Result]], pd.DataFrame]] = {
    "table1": tables.table1,
    "claims": tables.claims,
    "depths": depth.depths,
    "accuracy_by_depth": depth.accuracy_by_depth,
    "transitions": tables.transitions,
    "layer_use": layers.layer_use,
    "third_use": layers.third_use,
    "layer_edits": layers.layer_edits,
    "layer_repeats": layers.layer_repeats,
    "shortest_shares": depth.shortest_shares,
    "first_success": tables.first_success,
    "pareto": depth.pareto,
}
"""Frames that need results alone."""
EXHAUSTIVE = "exhaustive"

Opened = TypeVar("Opened", Cross, Run)


def collect_frames(
    results: Sequence[Result],
    asked: Sequence[str] = (),
    cross: Sequence[str] = (),
    configs: Sequence[str] = (),
    only_for_text: bool = False,
) -> dict[str, pd.DataFrame]:
    """Every frame that these files allow; or only those that conclude_set.py words.

    asked: questions asked differently, each for the results of the same model and task; cross: tables of
    `cola cross`, or runs in which every sample has the same chains; configs: config.json of models, named by
    their directories.
    """
    made = {"table1": tables.table1} if only_for_text else MAKERS
    frames = {name: make(results) for name, make in made.items()}
    frames["compute_saved"] = depth.compute_saved(results, _flops(results, configs))
    exhaustive = [r for r in results if r.label.preset == EXHAUSTIVE and not only_for_text]
    if exhaustive:
        frames["edit_map"] = layers.edit_map(exhaustive)
    _add(frames, "coverage", _coverages(cross, exhaustive, results))
    _add(frames, "other_samples", [_other_samples(path, results) for path in cross if is_cross(path)])
    if not only_for_text:
        frames["candidates"] = pd.concat([_candidates(r) for r in results], ignore_index=True)
    if asked:
        frames["robustness"] = pd.concat([_asked(path, results) for path in asked], ignore_index=True)
    return frames


def _add(frames: dict[str, pd.DataFrame], name: str, parts: list[pd.DataFrame]) -> None:
    found = [part for part in parts if len(part)]
    if found:
        frames[name] = pd.concat(found, ignore_index=True)


def provenance_table(results: Sequence[Result], others: Sequence[str] = ()) -> str:
    """Where the numbers come from: for each file what decides its labels and how it was made, as Markdown.

    others: files of --robustness and --cross; one that is a run already is told once.
    """
    lines = ["## Provenance"]
    told = {side.path: side for result in results for side in (result, result.control) if side}
    both = {path: {**side.identity, **side.provenance} for path, side in told.items()}
    for path in others:
        if path not in both:
            with open_asked(path) as asked:
                both[path] = {**asked.identity, **asked.provenance}
    for path, attributes in both.items():
        lines += [f"\n{path}\n", "| attribute | value |", "| --- | --- |"]
        lines += [f"| {key} | {_one_line(value)} |" for key, value in sorted(attributes.items())]
    return "\n".join(lines)


def _one_line(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")


def _candidates(result: Result) -> pd.DataFrame:
    with Run.open(result.path) as run:
        frame = menu.candidates(run)
    for at, (name, value) in enumerate(label_columns(result).items()):
        frame.insert(at, name, value)
    return frame


def _coverages(
    cross: Sequence[str], exhaustive: Sequence[Result], results: Sequence[Result]
) -> list[pd.DataFrame]:
    """Menu coverage of each file, once: a run with the same chains for all may be given as a table, too."""
    given = {os.path.realpath(path) for path in cross}
    others = [r for r in exhaustive if os.path.realpath(r.path) not in given]
    return [_coverage(path, results) for path in cross] + [_coverage(r.path, [r]) for r in others]


def _coverage(path: str, results: Sequence[Result]) -> pd.DataFrame:
    """Menu coverage of a file, with the drawn answers of the first control of the same tasks."""
    if is_cross(path):
        with Cross.open(path) as cross:
            frame = _with_control(cross.identity, results, cross, menu_cross.coverage)
            names = (_model(cross, results), cross.identity.get("task", "task"), "cross", "")
    else:
        with Run.open(path) as run:
            frame = _with_control(run.identity, results, run, menu.coverage)
            label = label_of(run)
            names = (label.model, label.task, label.preset, label.space)
    for at, (name, value) in enumerate(zip(("model", "task", "preset", "space"), names, strict=True)):
        frame.insert(at, name, value)
    return frame


def _with_control(
    identity: dict[str, str],
    results: Sequence[Result],
    file: Opened,
    coverage: Callable[[Opened, Run | None], pd.DataFrame],
) -> pd.DataFrame:
    tasks = identity.get("tasks_fingerprint")
    controls = [r.control for r in results if r.control and r.identity.get("tasks_fingerprint") == tasks]
    if not controls:
        return coverage(file, None)
    with Run.open(controls[0].path) as control:
        return coverage(file, control)


def _model(cross: Cross, results: Sequence[Result]) -> str:
    """What the model is called in tables; RunError where no run is of it."""
    seen = cross.identity.get("model_fingerprint")
    same = [r.label.model for r in results if r.identity.get("model_fingerprint") == seen]
    if not same:
        raise RunError(f"{cross.path}: model_fingerprint is {seen}: of another model than the runs")
    return same[0]


def _other_samples(path: str, results: Sequence[Result]) -> pd.DataFrame:
    """Found chains of every result of the table's model and task that are all in the table; maybe none."""
    parts = []
    with Cross.open(path) as cross:
        keys = ("model_fingerprint", "numerics_id", "metric", "task")
        for result in results:
            if cross.base is not None and all(result.identity.get(k) == cross.identity.get(k) for k in keys):
                parts.append(other_samples(result, cross))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _asked(path: str, results: Sequence[Result]) -> pd.DataFrame:
    """Robustness of every result that has the file's samples and model; RunError if none has."""
    frames, reasons = [], []
    for result in results:
        try:
            frames.append(robustness(result, path))
        except RunError as error:
            reasons.append(str(error))
    if not frames:
        raise RunError("\n".join(reasons))
    return pd.concat(frames, ignore_index=True)


def _flops(results: Sequence[Result], configs: Sequence[str]) -> dict[str, Flops]:
    """By model: from the configs given, else from the run's model_dir where it is still there."""
    paths = {os.path.basename(os.path.dirname(os.path.abspath(path))): path for path in configs}
    for result in results:
        beside = os.path.join(result.provenance.get("model_dir", ""), "config.json")
        if result.label.model not in paths and os.path.isfile(beside):
            paths[result.label.model] = beside
    found = {}
    for model, path in paths.items():
        try:
            with open(path, encoding="utf-8") as file:
                found[model] = Flops.of(json.load(file))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}: cannot read the model's shape for FLOPs: {error!r}") from error
    return found
