"""The report's colours: text keeps the contrast that WCAG 2 asks for at level AA, in light and in dark."""

from __future__ import annotations

import re
from importlib import resources

import pytest

TEXT, GRAPHICS = 4.5, 3.0
"""Least contrast of text (success criterion 1.4.3), and of what is not text (1.4.11)."""
PAIR = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
PLAIN = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
GROUNDS = ("ground", "card", "chosen")
CURVES = ("figure-blue", "figure-vermilion", "figure-green")
BARS = {
    "figure-blue": "on-strong",
    "figure-green": "on-strong",
    "figure-sky": "on-pale",
    "figure-pale": "on-pale",
}


def colours() -> list[dict[str, str]]:
    """The variables of the style sheet with their colours: light, dark."""
    css = resources.files("cola_analysis").joinpath("report_page", "report.css").read_text()
    plain = dict(PLAIN.findall(css))
    pairs = PAIR.findall(css)
    return [plain | {name: both[theme] for name, *both in pairs} for theme in (0, 1)]


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_and_white_is_the_largest_there_is() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # a known near miss


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_keeps_its_contrast_on_every_ground(theme: int) -> None:
    its = colours()[theme]
    pairs = [(name, ground) for name in ("ink", "muted", "accent", "right", "wrong") for ground in GROUNDS]
    pairs += [("ink", "caution")]
    pairs += [(f"figure-{text}", bar) for bar, text in BARS.items()]
    low = {pair: round(contrast(its[pair[0]], its[pair[1]]), 2) for pair in pairs}
    assert {pair: value for pair, value in low.items() if value < TEXT} == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_curves_and_borders_of_controls_stand_out(theme: int) -> None:
    its = colours()[theme]
    low = {name: round(contrast(its[name], its["card"]), 2) for name in (*CURVES, "muted", "accent")}
    assert {name: value for name, value in low.items() if value < GRAPHICS} == {}
