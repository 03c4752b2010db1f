"""One figure for a run and its control: the two claims with intervals, and how deep the right chains are.

Left: shares of samples with Wilson's 95 % interval, run beside control, the paper's thresholds as marks.
Right: depth of the shortest right chain of each sample, for samples right at the base (C->C) and corrected
ones (W->C). Colours are Okabe and Ito's, which colour-blind people tell apart; shapes and hatches repeat the
distinction for black and white. Takes findings, knows nothing of files.
"""

from __future__ import annotations

import os

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cola_analysis.findings import Findings
from cola_analysis.statistics import Share
from cola_analysis.table import PAPER, PAPER_CORRECTED, PAPER_SHORTER

BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#595959"


def draw(run: Findings, control: Findings | None, path: str | os.PathLike[str]) -> None:
    """Writes the PNG; OSError where that is not possible."""
    with plt.rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
        try:
            _claims(left, run, control)
            _depths(right, run)
            figure.savefig(path, dpi=150, format="png")
        finally:
            plt.close(figure)


def _claims(axes: Axes, run: Findings, control: Findings | None) -> None:
    groups = [
        ("base chain\ngives the target", "base", None),
        ("claim 1: a shorter chain,\nof those right at base", "shorter", PAPER_SHORTER),
        ("claim 2: corrected,\nof those wrong at base", "corrected", PAPER_CORRECTED),
    ]
    sides = [(run, BLUE, "o", "run: looks for the right answer")]
    if control:
        sides.append((control, VERMILION, "s", "control: looks for a random wrong answer"))
    for number, (findings, colour, marker, label) in enumerate(sides):
        shift = 0.0 if len(sides) == 1 else (-0.14, 0.14)[number]
        for x, (_, name, _) in enumerate(groups):
            _share(axes, x + shift, getattr(findings, name), colour, marker, label if x == 0 else None)
    for x, (_, _, threshold) in enumerate(groups):
        if threshold is not None:
            source = f"paper's claim ({PAPER}), other models" if x == 1 else None
            axes.hlines(100 * threshold, x - 0.32, x + 0.32, GREY, "dashed", linewidth=1.2, label=source)
    axes.set_xticks(range(len(groups)), [text for text, _, _ in groups])
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set_ylim(-2, 112)
    axes.set_yticks(range(0, 101, 20))
    axes.set_ylabel("share of samples (%), 95 % Wilson interval")
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.set_title("Shares with a right chain", loc="left", fontsize=11)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), frameon=False, fontsize=9)


def _share(axes: Axes, x: float, share: Share, colour: str, marker: str, label: str | None) -> None:
    if share.value is None or share.interval is None:
        axes.text(x, 2, "no such\nsample", color=colour, ha="center", va="bottom", fontsize=8)
        axes.plot([], [], marker, color=colour, label=label)
        return
    value, low, high = (100 * v for v in (share.value, share.interval.low, share.interval.high))
    errors = [[value - low], [high - value]]
    axes.errorbar(
        x, value, errors, fmt=marker, color=colour, markersize=8, capsize=4, linewidth=2, label=label
    )
    axes.text(x, high + 1.5, f"{share.hits}/{share.n}", color=colour, ha="center", va="bottom", fontsize=8.5)


def _depths(axes: Axes, run: Findings) -> None:
    samples = run.outcomes.samples
    groups = [
        ("right at the base (C→C)", [s for s in samples if s.base_right], BLUE, ""),
        ("corrected (W→C)", [s for s in samples if not s.base_right and s.any_right], GREEN, "///"),
    ]
    base = sorted({s.base_depth for s in samples})
    drawn = [
        (f"{label}: {len(members)} samples", [s.shortest.depth for s in members if s.shortest], colour, hatch)
        for label, members, colour, hatch in groups
    ]
    depths = [depth for _, values, _, _ in drawn for depth in values] + base
    axes.hist(
        [values for _, values, _, _ in drawn],
        bins=_bins(min(depths), max(depths)),
        label=[label for label, _, _, _ in drawn],
        color=[colour for _, _, colour, _ in drawn],
        hatch=[hatch for _, _, _, hatch in drawn],
        edgecolor="white",
        linewidth=0.5,
    )
    for number, depth in enumerate(base):
        label = f"base chain: {depth} layers" if number == 0 else None
        axes.axvline(depth, color=GREY, linestyle="dashed", linewidth=1.2, label=label)
    axes.set_xlabel("depth of the sample's shortest right chain (layers executed)")
    axes.set_ylabel("samples")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("How deep the shortest right chains are (run)", loc="left", fontsize=11)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), frameon=False, fontsize=9)


def _bins(low: int, high: int) -> list[float]:
    """Edges half-way between depths; bins of equal whole width, 30 of them at most."""
    width = max(1, -(-(high - low + 1) // 30))
    return [low - 0.5 + width * i for i in range((high - low) // width + 2)]
