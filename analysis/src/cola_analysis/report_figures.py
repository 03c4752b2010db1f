"""Figures as SVG inside a page: drawn by figures.py, then made to live beside each other and in the dark.

    drawing = inline_svg("depths", frame)
    drawing.title, drawing.svg          what it shows; markup of one <svg>

Matplotlib's file is a page of its own: its style sheet, its ids and its colours would spill into ours. So the
style sheet goes, ids get the figure's name in front, and colours become the page's variables (report.css:
--figure-*), which have a value for light and one for dark. Text is drawn as it is, never as mathematics.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pandas as pd
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from cola_analysis import draw
from cola_analysis.figures import FIGURES
from cola_analysis.report_embed import clean

NAMES = ("model", "task")
LONGEST_NAME = 33
WIDEST_OF_TWO = 6.0
"""Inches."""
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
INK = "#010101"
"""Text that stands on the page: told apart from black and white text, which stands on a coloured area."""
PAPER = "#ffffff"
ON_COLOUR = {"#000000": "on-pale", "#ffffff": "on-strong"}
"""Text on a coloured area, by the names of the page's variables."""
ON_PAGE: dict[Any, Any] = {
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": INK,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "legend.frameon": False,
    "text.parse_math": False,
}
VARIABLES = {
    INK: "ink",
    PAPER: "paper",
    "#e6e6e6": "grid",
    draw.GREY.lower(): "muted",
    draw.BLUE.lower(): "blue",
    draw.VERMILION.lower(): "vermilion",
    draw.GREEN.lower(): "green",
    draw.SKY.lower(): "sky",
    draw.ORANGE.lower(): "orange",
    draw.PURPLE.lower(): "purple",
    "#cccccc": "pale",
}
"""Colours by the names of the page's variables; any other stays as it is."""
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
REFERENCE = re.compile(r"url\(#([^)]+)\)")


@dataclass(frozen=True)
class Drawing:
    """A figure of the page."""

    title: str
    svg: Markup
    is_wide: bool
    """Whether it needs the page's width: else two stand side by side."""


def inline_svg(name: str, frame: pd.DataFrame) -> Drawing:
    """The figure of a frame (a name of figures.FIGURES); its title is the page's to write."""
    safe = frame.map(lambda value: clean(value) if isinstance(value, str) else value)
    for column in NAMES:
        if column in safe:
            safe[column] = _shortened(safe[column])
    with plt.rc_context(ON_PAGE):
        figure = FIGURES[name](safe)
        title = figure.get_suptitle()
        figure.suptitle("")
        is_wide = bool(figure.get_figwidth() > WIDEST_OF_TWO)
        return Drawing(title, Markup(_embedded(_written(figure), name, title)), is_wide)


def _shortened(names: pd.Series[str]) -> pd.Series[str]:
    """Names short enough to leave room for the axes; as they are if two of them would become one."""
    half = (LONGEST_NAME - 1) // 2
    short = {name: f"{name[:half]}…{name[-half:]}" for name in set(names) if len(name) > LONGEST_NAME}
    changed = names.replace(short)
    return changed if changed.nunique() == names.nunique() else names


def _written(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    try:
        with plt.rc_context(draw.STYLE):
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    finally:
        plt.close(figure)
    return buffer.getvalue()


def _embedded(drawn: bytes, name: str, title: str) -> str:
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(drawn)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _own_ids(element, name)
        _page_colours(element)
    width = float(root.attrib.pop("width").removesuffix("pt")) * 96 / 72
    root.attrib.pop("height")
    root.set("role", "img")
    root.set("aria-label", title)
    root.set("style", f"max-width: {width:.0f}px")
    return ElementTree.tostring(root, encoding="unicode")


def _own_ids(element: ElementTree.Element, name: str) -> None:
    """Ids, and references to them, with the figure's name in front."""
    if "id" in element.attrib:
        element.set("id", f"{name}-{element.attrib['id']}")
    for key, value in element.attrib.items():
        if key in ("href", f"{{{XLINK}}}href") and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif "url(#" in value:
            element.set(key, REFERENCE.sub(rf"url(#{name}-\1)", value))


def _page_colours(element: ElementTree.Element) -> None:
    style = element.attrib.get("style")
    if style is None:
        return
    lines = {"#000000": VARIABLES[INK]}
    names = VARIABLES | (ON_COLOUR if element.tag == f"{{{SVG}}}text" else lines)

    def variable(match: re.Match[str]) -> str:
        name = names.get(match[0].lower())
        return f"var(--figure-{name})" if name else match[0]

    element.set("style", COLOUR.sub(variable, style))


matplotlib.use("Agg")
