"""Writing an export so that a file under its final name is always whole: to a temporary beside it, renamed.

    with whole_file(path, force) as part: ...      part: where to write; renamed to path at the end
    json_text(value)                               JSON in one line, UTF-8 kept

After a failure the temporary is gone and what stood at path is as before.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cola_analysis.error import RunError


@contextmanager
def whole_file(path: Path, force: bool) -> Iterator[Path]:
    """A name to write to, renamed to `path` where the block ends well; RunError where that cannot be."""
    if path.exists() and not force:
        raise RunError(f"{path}: exists; give another name, or --force to replace it")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def write_lines(out: str, lines: str, force: bool) -> None:
    """Lines into the file `out`, or to standard output where it is "-"; RunError as whole_file."""
    if out == "-":
        sys.stdout.write(lines)
        return
    with whole_file(Path(out), force) as part:
        part.write_text(lines, encoding="utf-8")


def json_text(value: Any) -> str:
    """A value as JSON without line breaks."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
