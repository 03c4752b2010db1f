"""All data frames of a set of runs, by the names of their files: what `cola-findings --out` writes and draws.

    frames = collect_frames(results, robustness=["reordered.h5"], cross=["cross.h5"])

The one list of what there is; the frames themselves are made in tables.py, depth.py, layers.py, menu.py and
robustness.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence

import pandas as pd

from cola_analysis import depth, layers, menu, tables
from cola_analysis.cells import label_columns
from cola_analysis.error import RunError
from cola_analysis.flops import Flops
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


def collect_frames(
    results: Sequence[Result],
    asked: Sequence[str] = (),
    cross: Sequence[str] = (),
    configs: Sequence[str] = (),
    only_for_text: bool = False,
) -> dict[str, pd.DataFrame]:
    """Every frame that these files allow; or only those that conclude_set.py words.

    asked: runs of questions asked differently, each for the results of the same model and task; cross: runs
    in which every sample has the same chains; configs: config.json of models, named by their directories.
    """
    made = {"table1": tables.table1} if only_for_text else MAKERS
    frames = {name: make(results) for name, make in made.items()}
    frames["compute_saved"] = depth.compute_saved(results, _flops(results, configs))
    exhaustive = [r for r in results if r.label.preset == EXHAUSTIVE and not only_for_text]
    if exhaustive:
        frames["edit_map"] = layers.edit_map(exhaustive)
    crossed = [_coverage(path, results) for path in cross]
    crossed += [_coverage(r.path, [r]) for r in exhaustive]
    if crossed:
        frames["coverage"] = pd.concat(crossed, ignore_index=True)
    if not only_for_text:
        frames["candidates"] = pd.concat([_candidates(r) for r in results], ignore_index=True)
    if asked:
        frames["robustness"] = pd.concat([_asked(path, results) for path in asked], ignore_index=True)
    return frames


def provenance_table(results: Sequence[Result]) -> str:
    """Where the numbers come from: for each file what decides its labels and how it was made, as Markdown."""
    lines = ["## Provenance"]
    for result in results:
        for side in (result, result.control):
            if side:
                lines += [f"\n{side.path}\n", "| attribute | value |", "| --- | --- |"]
                both = {**side.identity, **side.provenance}
                lines += [f"| {key} | {_one_line(value)} |" for key, value in sorted(both.items())]
    return "\n".join(lines)


def _one_line(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")


def _candidates(result: Result) -> pd.DataFrame:
    with Run.open(result.path) as run:
        frame = menu.candidates(run)
    for at, (name, value) in enumerate(label_columns(result).items()):
        frame.insert(at, name, value)
    return frame


def _coverage(path: str, results: Sequence[Result]) -> pd.DataFrame:
    """Menu coverage of a file, with the drawn answers of the first control of the same tasks."""
    with Run.open(path) as run:
        label = label_of(run)
        tasks = run.identity.get("tasks_fingerprint")
        controls = [r.control for r in results if r.control and r.identity.get("tasks_fingerprint") == tasks]
        if controls:
            with Run.open(controls[0].path) as control:
                frame = menu.coverage(run, control)
        else:
            frame = menu.coverage(run)
    names = {"model": label.model, "task": label.task, "preset": label.preset, "space": label.space}
    for at, (name, value) in enumerate(names.items()):
        frame.insert(at, name, value)
    return frame


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
