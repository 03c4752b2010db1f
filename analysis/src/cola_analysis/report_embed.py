"""Data inside an HTML page: text that a page may hold, and JSON in a script tag that no text can end.

    clean("a\\x00b")                       control characters become visible ones
    json_block("file-0", "A run", {...})   <script type="application/json" id="file-0" data-title="A run">...
    base64_of(data)                        bytes as text, for typed arrays of the page's program

A page's data come from benchmarks and models, so nothing in them may be read as HTML. Knows nothing of runs.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from markupsafe import Markup

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What neither HTML nor XML may hold as text; tab and newline stay."""
VISIBLE_CONTROLS = 0x2400
"""Unicode's pictures of the control characters start here."""
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Without these no `</script>`, `<!--` or `]]>` can stand in a script tag; JSON reads them back."""


def clean(text: str) -> str:
    """Text with each control character as the picture of it, or as U+FFFD where there is none."""
    return CONTROL.sub(_picture, text)


def json_block(name: str, title: str, value: Any) -> Markup:
    """A script tag of type application/json with an id and a data-title. Numbers must be finite."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escaped in ESCAPES.items():
        text = text.replace(character, escaped)
    tag = Markup('<script type="application/json" id="{}" data-title="{}">{}</script>')
    return tag.format(name, title, Markup(text))


def base64_of(data: bytes) -> str:
    """Bytes in the alphabet that a browser's atob reads."""
    return base64.b64encode(data).decode("ascii")


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(VISIBLE_CONTROLS + code)
    return "\u2421" if code == 0x7F else "\ufffd"
