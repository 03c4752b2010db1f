"""Which layers the chains use: figures 5 and 6, and the map of single edits.

Figures 5 and 6 are over the shortest right chain of each sample, one chain a sample. The map is over the
chains that are one edit away from the base: of the preset `exhaustive`, which tries every edit on every
sample. Data frames as in tables.py. Knows nothing of drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from cola_analysis.cells import Row, count, label_columns, mean_columns, mean_of, share_columns
from cola_analysis.depth import GROUPS
from cola_analysis.read import Array
from cola_analysis.results import Result
from cola_analysis.scan import EDIT_KEYS
from cola_analysis.statistics import Share

THIRDS = ("early", "middle", "late")
KINDS = {1: "skip", 2: "repeat"}


def third_of(layer: int, n_layers: int) -> str:
    """Early, middle or late: which third of the model a layer is in."""
    return THIRDS[min(3 * layer // n_layers, 2)]


def layer_use(results: Sequence[Result]) -> pd.DataFrame:
    """Figure 5: mean passes through each layer in a sample's shortest right chain; the base has one each."""
    return _by_layer(results, "passes", lambda counts: counts)


def third_use(results: Sequence[Result]) -> pd.DataFrame:
    """Figure 5's thirds: mean passes through a layer of the early, the middle, the late third."""
    rows = []
    for result in results:
        for group, right in GROUPS.items():
            for third in THIRDS:
                sides = [_counts(side, right) for side in _sides(result)]
                chosen = [i for i in range(sides[0].shape[1]) if third_of(i, sides[0].shape[1]) == third]
                if not chosen:
                    continue
                estimates = [
                    mean_of(side, f"{group} passes {third}", counts[:, chosen].mean(axis=1))
                    for side, counts in zip(_sides(result), sides, strict=True)
                ]
                rows.append(
                    {**label_columns(result), "group": group, "third": third, "layers": len(chosen)}
                    | mean_columns(estimates[0], estimates[1] if len(estimates) > 1 else None)
                )
    return pd.DataFrame(rows)


def layer_edits(results: Sequence[Result]) -> pd.DataFrame:
    """Figure 6: share of samples whose shortest right chain skips a layer, and that passes it more than once.

    One row a layer and what: `skipped` (no pass), `repeated` (two passes or more).
    """
    rows = []
    for result in results:
        for group, right in GROUPS.items():
            sides = [_counts(side, right) for side in _sides(result)]
            for layer in range(sides[0].shape[1]):
                for what in ("skipped", "repeated"):
                    passes = [side[:, layer] for side in sides]
                    shares = [count(p == 0 if what == "skipped" else p > 1) for p in passes]
                    rows.append(
                        {**label_columns(result), "group": group, "layer": layer}
                        | {"third": third_of(layer, sides[0].shape[1]), "what": what}
                        | share_columns(shares[0], shares[1] if len(shares) > 1 else None)
                    )
    return pd.DataFrame(rows)


def layer_repeats(results: Sequence[Result]) -> pd.DataFrame:
    """Figure 6: mean passes beyond the first through each layer, in a sample's shortest right chain."""
    return _by_layer(results, "added passes", lambda counts: np.maximum(counts.astype(np.int64) - 1, 0))


def edit_map(results: Sequence[Result]) -> pd.DataFrame:
    """Which block of which length may be skipped or repeated: one row an edit and group of samples.

    Columns: kind (skip, repeat), position (first layer), block (layers), times (passes added), group, what
    (`stay right`, of samples right at the base; `corrected`, of the others) and the share. In the control:
    the drawn wrong answer kept, and reached. every_sample: whether the edit was tried on all samples, as
    `exhaustive` does; where it was not, a search chose the samples and the share means little.
    """
    rows: list[Row] = []
    for result in results:
        scans = [side.scan for side in _sides(result)]
        ours = scans[0].edits.set_index(list(EDIT_KEYS)).sort_index()
        theirs = scans[1].edits.set_index(list(EDIT_KEYS)) if len(scans) > 1 else None
        lookup = theirs.to_dict("index") if theirs is not None else {}
        for key, row in zip(ours.index, ours.to_dict("records"), strict=True):
            kind, position, block, times = (int(k) for k in key)
            where = {"kind": KINDS.get(kind, str(kind)), "position": position, "block": block, "times": times}
            tried = row["n_base_right"] + row["n_base_wrong"] == len(scans[0].samples)
            for group, what, hits, of in (
                ("right at the base", "stay right", "n_kept", "n_base_right"),
                ("wrong at the base", "corrected", "n_corrected", "n_base_wrong"),
            ):
                other = lookup.get(key, {hits: 0, of: 0})
                rows.append(
                    {**label_columns(result), **where, "group": group, "what": what, "every_sample": tried}
                    | share_columns(
                        Share(row[hits], row[of]),
                        Share(other[hits], other[of]) if theirs is not None else None,
                    )
                )
    return pd.DataFrame(rows)


def _by_layer(results: Sequence[Result], what: str, value: Callable[[Array], Array]) -> pd.DataFrame:
    rows = []
    for result in results:
        for group, right in GROUPS.items():
            sides = [_counts(side, right) for side in _sides(result)]
            n_layers = sides[0].shape[1]
            for layer in range(n_layers):
                estimates = [
                    mean_of(side, f"{group} {what} {layer}", value(counts[:, layer]))
                    for side, counts in zip(_sides(result), sides, strict=True)
                ]
                rows.append(
                    {**label_columns(result), "group": group, "layer": layer}
                    | {"third": third_of(layer, n_layers), "what": what}
                    | mean_columns(estimates[0], estimates[1] if len(estimates) > 1 else None)
                )
    return pd.DataFrame(rows)


def _sides(result: Result) -> list[Result]:
    return [result, result.control] if result.control else [result]


def _counts(side: Result, right: bool) -> Array:
    """[samples, L]: passes of the shortest right chains of a group's samples."""
    frame = side.scan.samples
    chosen = (frame["base_right"] == right) & (frame["n_right"] > 0)
    counts: Array = side.scan.layer_counts[chosen.to_numpy()]
    return counts
