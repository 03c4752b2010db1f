"""The figures: each takes the data frame that the function of the same name in tables.py, depth.py,
layers.py, menu.py, robustness.py or other_samples.py returns, and gives a matplotlib figure; draw.save writes
it as SVG.

Panels are models and benchmarks, colours search spaces, dashed lines and hollow marks the controls, bands
and bars 95 % intervals. Nothing is computed here that is not in the frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cola_analysis.draw import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SETTING,
    SKY,
    STYLE,
    VERMILION,
    by_space,
    curve,
    legend,
    numbers,
    panels,
    points,
)
from cola_analysis.results import SPACES
from cola_analysis.tables import TRANSITIONS

SHARE_AXIS = "share of samples (%)"
GROUP_STYLE = (("C->C", BLUE, "o"), ("W->C", GREEN, "^"))
TRANSITION_COLOURS = dict(zip(TRANSITIONS, (SKY, BLUE, GREEN, "0.8"), strict=True))


def table1(frame: pd.DataFrame) -> Figure:
    """Table 1 drawn: the base chain and the best visited chain of each space."""
    columns = ["base", *SPACES.values()]
    figure, found = panels(frame, SETTING, "Accuracy of the base and of the best visited chain")
    for _, rows, axes in found:
        shown = [c for c in columns if c in set(rows["column"])]
        ordered = rows.set_index("column").loc[shown].reset_index()
        points(axes, np.arange(len(shown)), ordered, "share", BLUE, "o", "run")
        axes.set_xticks(range(len(shown)), shown)
        axes.set_xlim(-0.5, len(shown) - 0.3)
        _percent(axes)
    return _done(figure, found)


def depths(frame: pd.DataFrame) -> Figure:
    """Figure 2: depth and different layers of the shortest right chain."""
    figure, found = panels(
        frame, [*SETTING, "space"], "Figure 2: depth of each sample's shortest right chain"
    )
    for _, rows, axes in found:
        measures = list(dict.fromkeys(rows["measure"]))
        for shift, (group, colour, marker) in zip((-0.2, 0.1), GROUP_STYLE, strict=True):
            chosen = rows[rows["group"] == group]
            points(axes, np.arange(len(measures)) + shift, chosen, "mean", colour, marker, group, scale=1)
        axes.set_xticks(range(len(measures)), [m.replace(" ", "\n", 1) for m in measures])
        axes.set_ylabel("layers")
    return _done(figure, found)


def accuracy_by_depth(frame: pd.DataFrame) -> Figure:
    """Figure 3: accuracy against depth by search space."""
    title = "Figure 3: samples with a right chain of at most this depth"
    return _curves(frame, "depth", "depth allowed (layers)", title)


def transitions(frame: pd.DataFrame) -> Figure:
    """Figure 4: the four transitions of each run and of its control, stacked."""
    with plt.rc_context(STYLE):
        labels = frame[[*SETTING, "space"]].drop_duplicates() if len(frame) else frame
        figure, axes = plt.subplots(figsize=(9, 1.6 + 0.7 * max(len(labels), 1)), layout="constrained")
        figure.suptitle("Figure 4: transitions from the base chain to the best visited one", fontsize=11)
        names, at = [], 0.0
        for key, rows in frame.groupby([*SETTING, "space"], sort=False) if len(frame) else ():
            for prefix, height in (("", 0.4), ("control_", 0.22)):
                values = numbers(rows, f"{prefix}share")
                if np.all(np.isnan(values)):
                    continue
                _stack(axes, rows["transition"], 100 * values, at, height, prefix == "" and at == 0)
                names.append((at, ", ".join(map(str, key)) if prefix == "" else "control"))
                at += 0.38
            at += 0.3
        axes.set_yticks([y for y, _ in names], [name for _, name in names])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel(SHARE_AXIS)
        legend(figure, [axes])
    return figure


def layer_use(frame: pd.DataFrame) -> Figure:
    """Figure 5: how often each layer is passed, with the thirds of the model."""
    figure, found = panels(frame, [*SETTING, "space"], "Figure 5: passes through each layer (the base has 1)")
    for _, rows, axes in found:
        for group, colour, _ in GROUP_STYLE:
            chosen = rows[rows["group"] == group]
            curve(axes, chosen["layer"], chosen, "mean", colour, group, scale=1)
        _thirds(axes, rows)
        axes.axhline(1, color=GREY, linewidth=0.8)
        axes.set_ylabel("mean passes")
    return _done(figure, found)


def layer_edits(frame: pd.DataFrame) -> Figure:
    """Figure 6: share of samples whose shortest right chain skips a layer, or repeats it."""
    title = "Figure 6: layers skipped and repeated in the shortest right chain"
    figure, found = panels(frame, [*SETTING, "space", "what"], title)
    for _, rows, axes in found:
        for group, colour, _ in GROUP_STYLE:
            chosen = rows[rows["group"] == group]
            curve(axes, chosen["layer"], chosen, "share", colour, group)
        _thirds(axes, rows)
        axes.set_ylabel(SHARE_AXIS)
        axes.set_ylim(0, None)
    return _done(figure, found)


def shortest_shares(frame: pd.DataFrame) -> Figure:
    """Figure 7: depth of the shortest 5, 10, 20, 100 % of the right chains."""
    title = "Figure 7: depth of the shortest of each sample's right chains"
    figure, found = panels(frame, [*SETTING, "space"], title)
    for _, rows, axes in found:
        percents = list(dict.fromkeys(rows["percent"]))
        for shift, (group, colour, marker) in zip((-0.2, 0.1), GROUP_STYLE, strict=True):
            chosen = rows[rows["group"] == group]
            points(axes, np.arange(len(percents)) + shift, chosen, "mean", colour, marker, group, scale=1)
        axes.set_xticks(range(len(percents)), [f"shortest\n{p} %" for p in percents])
        axes.set_ylabel("layers")
    return _done(figure, found)


def first_success(frame: pd.DataFrame) -> Figure:
    """Share of samples with a first success within so many evaluations."""
    title = "Evaluations until the first right chain (wrong samples), or a shorter one (right samples)"
    return _curves(frame, "evaluations", "evaluations, the base's included", title, ["group"], log=True)


def pareto(frame: pd.DataFrame) -> Figure:
    """Accuracy against mean layers, with the base chain as a cross."""
    figure, found = panels(frame, SETTING, "Pareto front: accuracy against layers, for an oracle")
    for _, rows, axes in found:
        for space, colour, _, chosen in by_space(rows):
            own = chosen.assign(control_share=np.nan)  # the control's front has its own mean layers
            curve(axes, chosen["layers"], own, "share", colour, SPACES.get(space, space))
            if chosen["control_layers"].notna().any():
                label = f"{SPACES.get(space, space)}, control"
                shares = 100 * numbers(chosen, "control_share")
                axes.plot(numbers(chosen, "control_layers"), shares, "--", color=colour, label=label)
        first = rows.iloc[0]
        axes.plot(first["base_layers"], 100 * first["base_share"], "x", color="black", label="base chain")
        axes.set_xlabel("mean layers a sample")
        _percent(axes)
    return _done(figure, found)


def compute_saved(frame: pd.DataFrame) -> Figure:
    """Compute saved while every sample keeps its verdict."""
    title = "Compute saved at equal accuracy, for an oracle"
    figure, found = panels(frame, SETTING, title)
    for _, rows, axes in found:
        for space, colour, marker, chosen in by_space(rows):
            points(axes, np.arange(len(chosen)), chosen, "saved", colour, marker, SPACES.get(space, space))
            pairs = zip(chosen["unit"], chosen["over"], strict=True)
            names = [f"{unit},\n{over.replace(' right', chr(10) + 'right')}" for unit, over in pairs]
            axes.set_xticks(range(len(chosen)), names, fontsize=7)
        axes.set_xlim(-0.5, rows.groupby("space").size().max() - 0.3)
        axes.set_ylim(min(0, axes.get_ylim()[0]), None)
        axes.set_ylabel("saved (%)")
    return _done(figure, found)


def edit_map(frame: pd.DataFrame) -> Figure:
    """The map of single edits: a row an edit's kind and size, a column its first layer."""
    title = "Single edits of the base chain: share of samples (%)"
    figure, found = panels(frame, [*SETTING, "what"], title)
    for _, rows, axes in found:
        kinds = (
            rows[["kind", "block", "times"]]
            .drop_duplicates()
            .sort_values(["kind", "block", "times"], ascending=[False, True, True])
        )
        place = {tuple(k): i for i, k in enumerate(kinds.itertuples(index=False))}
        image = np.full((len(kinds), int(rows["position"].max()) + 1), np.nan)
        where = [place[k] for k in zip(rows["kind"], rows["block"], rows["times"], strict=True)]
        image[where, rows["position"]] = 100 * numbers(rows, "share")
        picture = axes.imshow(image, aspect="auto", cmap="viridis", vmin=0, vmax=100, interpolation="nearest")
        axes.figure.colorbar(picture, ax=axes, fraction=0.05)
        names = [k if t == 0 else f"{k} x{t + 1}" for k, t in zip(kinds["kind"], kinds["times"], strict=True)]
        names = [f"{name} {b}" for name, b in zip(names, kinds["block"], strict=True)]
        axes.set_yticks(range(len(kinds)), names, fontsize=6)
        axes.grid(False)
        axes.set_xlabel("first layer of the block")
    return _done(figure, found)


def coverage(frame: pd.DataFrame) -> Figure:
    """Share solved by a menu of K chains."""
    title = "Menu coverage: samples solved by one of K chains, chosen on the same or on other samples"
    figure, found = panels(frame, [*SETTING, "space"], title)
    for _, rows, axes in found:
        for how, colour in (("same samples", ORANGE), ("other samples", BLUE)):
            chosen = rows[rows["how"] == how]
            curve(axes, chosen["k"], chosen, "share", colour, f"chosen on {how}")
        axes.axhline(100 * rows["base_share"].iloc[0], color=GREY, linewidth=0.8, label="base chain")
        axes.set_xlabel("chains of the menu, K")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _percent(axes)
    return _done(figure, found)


def robustness(frame: pd.DataFrame) -> Figure:
    """Share of found chains that hold where the question is asked differently, beside the base chain."""
    figure, found = panels(frame, [*SETTING, "space", "asked"], "Found chains on questions asked differently")
    for _, rows, axes in found:
        for shift, what, colour, marker in (
            (-0.2, "found chain", BLUE, "o"),
            (0.1, "base chain", VERMILION, "s"),
        ):
            chosen = rows[rows["what"] == what]
            points(axes, np.arange(len(chosen)) + shift, chosen, "share", colour, marker, what)
        groups = list(dict.fromkeys(rows["group"]))
        axes.set_xticks(range(len(groups)), groups)
        axes.set_xlim(-0.6, len(groups) - 0.4)
        _percent(axes)
    return _done(figure, found)


def other_samples(frame: pd.DataFrame) -> Figure:
    """Found chains on the samples that they were not found for, beside the base chain on the same samples."""
    title = "Found chains on the samples that they were not found for"
    figure, found = panels(frame, [*SETTING, "space", "chains"], title)
    for _, rows, axes in found:
        at = np.arange(len(rows))
        points(axes, at - 0.1, rows, "share", BLUE, "o", "found chains")
        axes.plot(at - 0.1, 100 * numbers(rows, "base_share"), "x", color="black", label="base chain")
        axes.set_xticks(at, [name.replace(" at", "\nat") for name in rows["measured"]])
        axes.set_xlim(-0.5, len(rows) - 0.3)
        _percent(axes)
    return _done(figure, found)


def _curves(
    frame: pd.DataFrame, x: str, label: str, title: str, more: list[str] | None = None, log: bool = False
) -> Figure:
    figure, found = panels(frame, SETTING + (more or []), title)
    for _, rows, axes in found:
        for space, colour, _, chosen in by_space(rows):
            curve(axes, chosen[x], chosen, "share", colour, SPACES.get(space, space))
        if log:
            axes.set_xscale("log")
        axes.set_xlabel(label)
        _percent(axes)
    return _done(figure, found)


def _stack(axes: Axes, names: Any, values: Any, at: float, height: float, first: bool) -> None:
    left = 0.0
    for name, value in zip(names, values, strict=True):
        colour = TRANSITION_COLOURS[name]
        axes.barh(at, value, height, left=left, color=colour, label=name if first else None)
        if value >= 6:
            text = "white" if colour in (BLUE, GREEN) else "black"
            axes.text(left + value / 2, at, f"{value:.0f}", ha="center", va="center", fontsize=7, color=text)
        left += value


def _thirds(axes: Axes, rows: pd.DataFrame) -> None:
    """Lines between the early, middle and late third."""
    order = rows.drop_duplicates("layer").sort_values("layer")
    for layer in order.loc[order["third"] != order["third"].shift(), "layer"][1:]:
        axes.axvline(layer - 0.5, color=GREY, linewidth=0.8, linestyle="dotted")
    axes.set_xlabel("layer (dotted: thirds)")


def _percent(axes: Axes) -> None:
    axes.set_ylim(-3, 103)
    axes.set_ylabel(SHARE_AXIS)


def _done(figure: Figure, found: list[tuple[str, Any, Axes]]) -> Figure:
    legend(figure, [axes for _, _, axes in found])
    return figure


FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "table1": table1,
    "depths": depths,
    "accuracy_by_depth": accuracy_by_depth,
    "transitions": transitions,
    "layer_use": layer_use,
    "layer_edits": layer_edits,
    "shortest_shares": shortest_shares,
    "edit_map": edit_map,
    "coverage": coverage,
    "first_success": first_success,
    "pareto": pareto,
    "compute_saved": compute_saved,
    "robustness": robustness,
    "other_samples": other_samples,
}
"""By the name of the data frame that each draws."""
