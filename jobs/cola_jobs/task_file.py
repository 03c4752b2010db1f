"""Reads jobs/tasks/NAME.toml: where a benchmark's row has its fields, and how each score rule asks."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cola_jobs.progress import JobError

TASKS = Path(__file__).resolve().parent.parent / "tasks"
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Fields:
    """Paths of a row's fields; a dot goes into an object."""

    id: str
    question: str
    choices: str
    labels: str
    answer: str


@dataclass(frozen=True)
class Template:
    """How one score rule asks: a prompt, and what follows it for each choice."""

    chat: bool
    prompt: str
    continuation: str
    choice_line: str = ""


@dataclass(frozen=True)
class Task:
    """One task file, for one score rule."""

    name: str
    score: str
    fields: Fields
    template: Template


def names() -> list[str]:
    """The tasks there are."""
    return sorted(path.stem for path in TASKS.glob("*.toml"))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Puts values in for {name}; other braces stay. Values are not looked into, so they may hold braces."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], template)


def _check_placeholders(where: str, text: str, allowed: set[str]) -> None:
    for name in PLACEHOLDER.findall(text):
        if name not in allowed:
            raise JobError(f"{where}: no placeholder {{{name}}}, only {', '.join(sorted(allowed))}")


def _record(where: str, table: Any, kind: type[Any]) -> Any:
    """A dataclass from a TOML table: every field of the right type, none unknown."""
    if not isinstance(table, dict):
        raise JobError(f"{where}: this table is missing")
    known = kind.__dataclass_fields__
    for key, value in table.items():
        if key not in known:
            raise JobError(f"{where}: unknown key {key}, expected {', '.join(known)}")
        if not isinstance(value, known[key].type):
            raise JobError(f"{where}: {key} is {value!r}, expected a {known[key].type.__name__}")
    try:
        return kind(**table)
    except TypeError as error:
        raise JobError(f"{where}: {error}") from error


def load(name: str, score: str) -> Task:
    """The task of this name for this score rule; an error names the tasks or rules there are."""
    path = TASKS / f"{name}.toml"
    if name not in names():
        raise JobError(f"no task {name}: jobs/tasks has {', '.join(names())}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise JobError(f"{path}: {error}") from error
    rules = sorted(key for key in content if key not in ("description", "row"))
    if score not in rules:
        raise JobError(f"{path}: the score rule {score} is not among {', '.join(rules)}")
    template = _record(f"{path}: [{score}]", content[score], Template)
    _check_placeholders(f"{path}: prompt", template.prompt, {"question", "choices"})
    _check_placeholders(f"{path}: continuation", template.continuation, {"letter", "choice"})
    _check_placeholders(f"{path}: choice_line", template.choice_line, {"letter", "choice"})
    return Task(name, score, _record(f"{path}: [row]", content.get("row"), Fields), template)
