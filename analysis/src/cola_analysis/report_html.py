"""The page: templates, style sheet and program of report_page/ put together with the data, in one file.

    html = page(Contents(...))

Everything is inside: no network, no second file. Every text goes through the template engine's escaping or
into a JSON block; besides, the page's own policy allows no script but the one with the right hash, so that a
text which slipped through would still not run. Knows nothing of runs.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader, Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from cola_analysis.report_embed import json_block
from cola_analysis.report_tables import TableView
from cola_analysis.report_told import Attribute, Source, Told

if TYPE_CHECKING:
    from cola_analysis.report_figures import Drawing

FOLDER = "report_page"
SCRIPTS = ("elements", "chain", "data", "theme", "scroll", "samples", "detail", "tree", "main")
"""Files of the page's program in their order: each uses only those before it."""


@dataclass(frozen=True)
class Section:
    """A table, and the figure that shows it where there is one."""

    name: str
    title: str
    caption: str
    table: TableView
    drawing: Drawing | None
    is_open: bool
    """Whether the table is shown at once, not when asked for."""

    @property
    def is_wide(self) -> bool:
        """Whether it takes the page's width."""
        return self.is_open or (self.drawing is not None and self.drawing.is_wide)


@dataclass(frozen=True)
class Contents:
    """All that the page shows."""

    title: str
    program: str
    told: list[Told]
    together: list[str]
    sections: list[Section]
    sources: list[Source]
    attributes: list[Attribute]
    files: list[dict[str, Any]]
    """Samples and trees, one dictionary a file (report_trees.py)."""


def page(contents: Contents) -> str:
    """The whole HTML file."""
    program = script()
    environment = Environment(
        loader=_loader(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(
        contents=contents,
        policy=policy(program),
        style=Markup(_part("report.css")),
        program=Markup(program),
        blocks=[json_block(f"file-{i}", file["title"], file) for i, file in enumerate(contents.files)],
    )


def script() -> str:
    """The page's program: all its files, one after the other, in one scope."""
    parts = [_part(f"{name}.js") for name in SCRIPTS]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "\n})();\n"


def policy(program: str) -> str:
    """What the page may do: run this one script, use its styles, show pictures that are in the file."""
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _loader() -> BaseLoader:
    return FunctionLoader(_part)


def _part(name: str) -> str:
    return resources.files("cola_analysis").joinpath(FOLDER, name).read_text(encoding="utf-8")
