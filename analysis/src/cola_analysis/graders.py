r"""Graders of published code, as other opinions on answers that a run stored: for `cola-regrade --grader`.

    judge = JUDGES["last-box"]; judge("\\frac{1}{2}", "so \\boxed{\\frac{1}{2}}")

Each takes what was looked for and the generated text. They are stricter or cruder than the program's own
(docs/graders.md) on purpose: how much of a result depends on the grader is the question. Pure functions of
text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cola_analysis.boxes import boxes

Judge = Callable[[str, str], bool]
"""(gold, text) -> is the text right?"""

LETTER = re.compile(r"(?<![A-Za-z])([A-Z])(?![A-Za-z'])")
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def last_box(gold: str, text: str) -> bool:
    r"""PoLar's search code: the text holds \boxed{}, and its last one is the gold, spaces apart."""
    found = boxes(text)
    return bool(found) and _spaceless(found[-1]) == _spaceless(gold)


def first_letter(gold: str, text: str) -> bool:
    """Dr.LLM's search code grades choices by a regular expression: the first letter that stands alone."""
    found = LETTER.search(text)
    return found is not None and found[1] == gold


def last_number(gold: str, text: str) -> bool:
    """The common rule for GSM8K: the text's last number is the gold's."""
    ours, theirs = NUMBER.findall(gold), NUMBER.findall(text)
    return bool(ours and theirs) and _value(ours[-1]) == _value(theirs[-1])


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _spaceless(text: str) -> str:
    return re.sub(r"\s", "", text)


JUDGES: dict[str, Judge] = {"last-box": last_box, "last-number": last_number, "first-letter": first_letter}
FITS = {"last-box": ("boxed",), "last-number": ("number",), "first-letter": ("letter",)}
"""The program's graders whose runs each may grade."""
