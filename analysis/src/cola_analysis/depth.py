"""Depth: of the chains found (figures 2 and 7), the accuracy that a depth allows (figure 3), Pareto fronts
of accuracy and layers, and the compute saved at equal accuracy.

Data frames as in tables.py; depth is layers executed. All of it is about an oracle that knows for each
sample which visited chain is right: an upper bound for any router, not an accuracy that could be had.
Controls stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd

from cola_analysis.bootstrap import Estimate, bootstrap
from cola_analysis.cells import Row, count, label_columns, mean_columns, mean_of, share_columns
from cola_analysis.flops import Flops
from cola_analysis.read import Array
from cola_analysis.results import Result
from cola_analysis.scan import SHARES

T = TypeVar("T")

GROUPS = {"C->C": True, "W->C": False}
"""Samples right at the base, and corrected ones."""
MEASURES = {
    "base_depth": "base chain",
    "shortest_depth": "shortest right chain",
    "shortest_unique": "different layers in it",
}


def depths(results: Sequence[Result]) -> pd.DataFrame:
    """Figure 2: mean depth and mean number of different layers of each sample's shortest right chain."""
    rows = []
    for result in results:
        for group, right in GROUPS.items():
            for column, measure in MEASURES.items():
                estimates = [
                    mean_of(side, f"{group} {column}", _found(side, right)[column].to_numpy())
                    for side in _sides(result)
                ]
                rows.append({**label_columns(result), "group": group, "measure": measure} | _means(estimates))
    return pd.DataFrame(rows)


def shortest_shares(results: Sequence[Result]) -> pd.DataFrame:
    """Figure 7: mean depth of the shortest 5, 10, 20, 100 % of each sample's right chains (at least one).

    A mean a sample, then the mean of these: a sample with many right chains counts once.
    """
    rows = []
    for result in results:
        for group, right in GROUPS.items():
            for percent in SHARES:
                estimates = [
                    mean_of(
                        side, f"{group} depth_{percent}", _found(side, right)[f"depth_{percent}"].to_numpy()
                    )
                    for side in _sides(result)
                ]
                rows.append({**label_columns(result), "group": group, "percent": percent} | _means(estimates))
    return pd.DataFrame(rows)


def accuracy_by_depth(results: Sequence[Result]) -> pd.DataFrame:
    """Figure 3: share of samples with a right chain of at most this depth, by search space."""
    rows = []
    for result in results:
        sides = [side.scan.samples["shortest_depth"].to_numpy() for side in _sides(result)]
        found = np.concatenate([side[side > 0] for side in sides])
        for depth in range(int(found.min()), int(found.max()) + 1) if len(found) else ():
            shares = [count((side > 0) & (side <= depth)) for side in sides]
            rows.append({**label_columns(result), "depth": depth} | share_columns(shares[0], _second(shares)))
    return pd.DataFrame(rows)


def pareto(results: Sequence[Result]) -> pd.DataFrame:
    """The best accuracy for the layers spent: one row a point of the front, from the cheapest on.

    A sample is answered by its shortest right chain if this takes at most `extra` layers more than its
    shortest visited chain, else by that one. No other choice among the visited chains gives more right
    answers at the same mean depth. Columns: extra, the share right, layers (mean depth), base_share and
    base_layers.
    """
    rows = []
    for result in results:
        sides = [side.scan.samples for side in _sides(result)]
        costs = [_extra(frame) for frame in sides]
        for extra in sorted({int(c) for cost in costs for c in cost[cost >= 0]}):
            shares = [count((cost >= 0) & (cost <= extra)) for cost in costs]
            layers = [_spent(f, c, extra).mean() for f, c in zip(sides, costs, strict=True)]
            rows.append(
                {**label_columns(result), "extra": extra, "layers": layers[0]}
                | {"control_layers": layers[1] if len(layers) > 1 else None}
                | {"base_layers": sides[0]["base_depth"].mean(), "base_share": sides[0]["base_right"].mean()}
                | share_columns(shares[0], _second(shares))
            )
    return pd.DataFrame(rows)


def compute_saved(results: Sequence[Result], flops: dict[str, Flops] | None = None) -> pd.DataFrame:
    """Layers (and, for models in `flops`, operations) saved while every sample keeps its verdict.

    A sample right at the base is answered by its shortest right chain where that is shorter, all others by
    the base. `over`: the samples right at the base, or all. saved: 1 - used / base of the sums, by
    bootstrap over samples. FLOPs are those of one token through the chain and the head.
    """
    rows = []
    for result in results:
        model = (flops or {}).get(result.label.model)
        for over in ("samples right at the base", "all samples"):
            for unit in ("layers", "FLOPs a token"):
                if unit == "layers" or model:
                    estimates = [
                        _saved(side, over, unit, model if unit != "layers" else None)
                        for side in _sides(result)
                    ]
                    cells = {k.replace("mean", "saved"): v for k, v in _means(estimates).items()}
                    rows.append({**label_columns(result), "over": over, "unit": unit} | cells)
    return pd.DataFrame(rows)


def _saved(side: Result, over: str, unit: str, model: Flops | None) -> Estimate:
    frame = side.scan.samples
    base, right = frame["base_depth"].to_numpy(), frame["base_right"].to_numpy(dtype=bool)
    used = np.where(right, np.minimum(frame["shortest_depth"].to_numpy(), base), base)
    columns = np.stack([used, base], axis=1)[right if over != "all samples" else slice(None)].astype(float)
    if model:
        columns = columns * model.per_layer + model.head
    key = "\n".join((*side.key, "control" if side.is_control else "run", "saved", over, unit))
    return bootstrap(columns, _saved_share, key)


def _saved_share(means: Array) -> Array:
    share: Array = 1 - means[..., 0] / means[..., 1]
    return share


def _extra(frame: pd.DataFrame) -> Array:
    """Layers that the shortest right chain takes more than the shortest visited one; -1: none is right."""
    shortest, least = frame["shortest_depth"].to_numpy(), frame["least_depth"].to_numpy()
    return np.where(shortest > 0, shortest - least, -1)


def _spent(frame: pd.DataFrame, cost: Array, extra: int) -> Array:
    layers: Array = frame["least_depth"].to_numpy() + np.where((cost >= 0) & (cost <= extra), cost, 0)
    return layers


def _sides(result: Result) -> Iterator[Result]:
    yield result
    if result.control:
        yield result.control


def _found(side: Result, right: bool) -> pd.DataFrame:
    frame = side.scan.samples
    return frame[(frame["base_right"] == right) & (frame["n_right"] > 0)]


def _means(estimates: list[Estimate]) -> Row:
    return mean_columns(estimates[0], _second(estimates))


def _second(items: list[T]) -> T | None:
    return items[1] if len(items) > 1 else None
