"""Do chains that were found hold when the question is asked differently: its choices re-ordered, another
template?

    robustness(result, "reordered.h5")

The other file is a table of `cola cross`, or a run, over tasks that ask the same: a sample `q7#r1` of
`prepare.py --reorder` belongs to `q7`; with another template the ids are the same. What is looked up there
is the shortest right chain that the search found for each sample, and the base chain; both have to give the
right answer in every re-asking. The control's chains have to give the drawn wrong answer again. Unit:
samples.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cola_analysis.asked import ABSENT, Asked, open_asked
from cola_analysis.cells import Row, label_columns, share_columns
from cola_analysis.error import RunError
from cola_analysis.read import Array
from cola_analysis.results import Result
from cola_analysis.statistics import Share

REORDERED = re.compile(r"#r\d+$")
GROUPS = {"shorter chain (C->C)": True, "corrected (W->C)": False}
WHAT = ("found chain", "base chain")


@dataclass
class _Held:
    """For each sample of a search by its id: in how many re-askings a chain was evaluated, and held."""

    tried: dict[str, int]
    right: dict[str, int]

    def share(self, ids: list[str]) -> Share:
        """Of these samples, where the chain was evaluated, those for which it held each time."""
        tried = [i for i in ids if self.tried.get(i)]
        return Share(sum(self.right[i] == self.tried[i] for i in tried), len(tried))


def robustness(result: Result, path: str | os.PathLike[str]) -> pd.DataFrame:
    """One row a group of samples and chain: share that holds in every re-asking, and its control.

    Columns: asked (the file), group, what (found chain, base chain), n_found (samples of the group in the
    search: n of them were asked again) and the share. RunError if the file has none of the samples or chains.
    """
    with open_asked(path) as asked:
        check_same_model(result, asked.identity, asked.path)
        held = {side.is_control: _look_up(side, asked) for side in _sides(result)}
    rows: list[Row] = []
    for group, right in GROUPS.items():
        ids = {side.is_control: found_ids(side, right) for side in _sides(result)}
        for what in WHAT:
            ours = held[False][what].share(ids[False])
            theirs = held[True][what].share(ids[True]) if result.control else None
            rows.append(
                {**label_columns(result), "asked": os.path.basename(os.fspath(path)), "group": group}
                | {"what": what, "n_found": len(ids[False])}
                | share_columns(ours, theirs)
            )
    if all(row["n"] == 0 for row in rows) and any(row["n_found"] for row in rows):
        raise RunError(
            f"{path}: holds none of the chains that {result.path} found; evaluate them with `cola cross`"
        )
    return pd.DataFrame(rows)


def _sides(result: Result) -> list[Result]:
    return [result, result.control] if result.control else [result]


def check_same_model(result: Result, identity: dict[str, str], path: str) -> None:
    """RunError where another model, numerics or metric gave the other file's predictions."""
    for key in ("model_fingerprint", "numerics_id", "metric"):
        ours, theirs = result.identity.get(key), identity.get(key)
        if ours != theirs:
            raise RunError(
                f"{path}: {key} is {theirs}, but {result.path} has {ours}: predictions of another model"
            )


def found_ids(side: Result, right: bool) -> list[str]:
    """Samples of a group by their ids: right ones with a shorter chain, or corrected ones."""
    frame = side.scan.samples
    success = frame["first_shorter"] > 0 if right else frame["n_right"] > 0
    return list(frame.loc[(frame["base_right"] == right) & success, "id"])


def original_id(name: str) -> str:
    """The id of the question that a sample asks, without the mark of another order of its choices."""
    return REORDERED.sub("", name)


def _look_up(side: Result, asked: Asked) -> dict[str, _Held]:
    """For the found chain and the base chain of each sample: how often it was asked, and held."""
    frame = side.scan.samples
    keys = dict(zip(frame["id"], frame["shortest_key"].tolist(), strict=True))
    names = [original_id(name) for name in asked.ids]
    if not set(names) & set(keys):
        raise RunError(f"{asked.path}: has none of the samples of {side.path}")
    targets = _targets(side, asked, names)
    wanted = np.array([keys.get(name, 0) for name in names], dtype=np.uint64)
    found = {"found chain": asked.predictions(wanted), "base chain": asked.base_predictions()}
    held = {what: _Held({}, {}) for what in WHAT}
    for what in WHAT:
        usable = (found[what] != ABSENT) & (targets >= 0)
        for i in np.flatnonzero(usable).tolist():
            held[what].tried[names[i]] = held[what].tried.get(names[i], 0) + 1
            hit = int(found[what][i] == targets[i])
            held[what].right[names[i]] = held[what].right.get(names[i], 0) + hit
    return held


def _targets(side: Result, asked: Asked, names: list[str]) -> Array:
    """What each sample of the other file has to give: its gold, or for a control the drawn choice."""
    if not side.is_control:
        return asked.gold
    texts = dict(zip(side.scan.samples["id"], side.scan.samples["target_choice"], strict=True))
    places = []
    for name, choices in zip(names, asked.choices, strict=True):
        text = texts.get(name)
        places.append(choices.index(text) if text and choices.count(text) == 1 else -1)
    return np.array(places, dtype=np.int64)
