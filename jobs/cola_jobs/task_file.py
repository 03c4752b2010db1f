"""Reads a task file (docs/tasks.md): where a benchmark's row has its fields, and how each score rule asks.

Everything a file says is checked here: keys by name and type, placeholders, and that the parts fit together.
"""

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cola_jobs.progress import JobError

TASKS = Path(__file__).resolve().parent.parent / "tasks"
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
LEVEL_NAME = re.compile(r"(.+)_([0-9]{1,2})")
RULES = ("loglik", "letter", "generate")
GRADERS = ("letter", "boxed", "number")
SETTINGS = ("grader",)  # keys of a score rule's own table; its other keys are templates


@dataclass(frozen=True)
class Fields:
    """[row]: paths of a row's fields; a dot goes into an object. "" is absent."""

    question: str
    answer: str
    answer_is: str = "label"  # label | index | text
    answer_after: str = ""
    id: str = ""
    numbered: bool = False
    choices: str = ""
    labels: str = ""
    subject: str = ""
    level: str = ""
    levels: int = 0
    duplicates: str = "refuse"  # refuse | first


@dataclass(frozen=True)
class Template:
    """[RULE.NAME]: one way to ask: a prompt, and what follows it for each choice."""

    prompt: str
    chat: bool
    continuation: str = ""
    choice_line: str = ""
    max_new_tokens: int = 0


@dataclass(frozen=True)
class Task:
    """One task file, for one score rule and perhaps one level."""

    name: str  # with _N for a level
    score: str
    grader: str  # "" but under generate
    level: int | None
    fields: Fields
    templates: Mapping[str, Template]

    def choose(self, template: str, model_chats: bool) -> str:
        """The name of the template to use. auto: chat for a model that has a chat template, else plain."""
        if template == "auto":
            preferred = ("chat", "plain") if model_chats else ("plain", "chat")
            template = next(name for name in preferred if name in self.templates)
        if template not in self.templates:
            known = ", ".join(self.templates)
            raise JobError(f"task {self.name}: {self.score} has no template {template}, it has {known}")
        return template


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
    """A dataclass from a TOML table: every field of the right type, none unknown, none missing."""
    if not isinstance(table, dict):
        raise JobError(f"{where}: this table is missing")
    known = {field.name: field for field in dataclasses.fields(kind)}
    for key, value in table.items():
        if key not in known:
            raise JobError(f"{where}: unknown key {key}, expected {', '.join(known)}")
        if type(value) is not known[key].type:
            raise JobError(f"{where}: {key} is {value!r}, expected a {known[key].type.__name__}")
    for name, field in known.items():
        if name not in table and field.default is dataclasses.MISSING:
            raise JobError(f"{where}: {name} is missing")
    return kind(**table)


def _one_of(where: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise JobError(f"{where} is {value!r}, expected {', '.join(allowed[:-1])} or {allowed[-1]}")


def _fields(where: str, table: Any) -> Fields:
    fields: Fields = _record(where, table, Fields)
    _one_of(f"{where}: answer_is", fields.answer_is, ("label", "index", "text"))
    _one_of(f"{where}: duplicates", fields.duplicates, ("refuse", "first"))
    needed = {
        "id (or numbered = true)": bool(fields.id) or fields.numbered,
        "choices": bool(fields.choices) or fields.answer_is == "text",
        "labels": bool(fields.labels) or fields.answer_is != "label",
        "level": bool(fields.level) or fields.levels == 0,
    }
    for key, there in needed.items():
        if not there:
            raise JobError(f"{where}: {key} is missing")
    if fields.answer_is == "text" and (fields.choices or fields.labels):
        raise JobError(f'{where}: answer_is = "text" goes without choices and labels')
    if fields.answer_after and fields.answer_is != "text":
        raise JobError(f'{where}: answer_after goes only with answer_is = "text"')
    return fields


def _template(where: str, name: str, table: Any, score: str, fields: Fields, grader: str) -> Template:
    if isinstance(table, dict) and name in ("plain", "chat"):
        if "chat" in table:
            raise JobError(f"{where}: the template's name says whether it is a chat, without the key chat")
        table = table | {"chat": name == "chat"}
    template: Template = _record(where, table, Template)
    subject = {"subject"} if fields.subject else set()
    choices = set() if fields.answer_is == "text" else {"choices"}
    _check_placeholders(f"{where}: prompt", template.prompt, {"question"} | choices | subject)
    _check_placeholders(f"{where}: continuation", template.continuation, {"letter", "choice"})
    _check_placeholders(f"{where}: choice_line", template.choice_line, {"letter", "choice"})
    shows = "{choices}" in template.prompt
    if shows != bool(template.choice_line):
        raise JobError(f"{where}: {{choices}} in the prompt and choice_line go together")
    if not shows and (score == "letter" or grader == "letter"):
        raise JobError(f"{where}: answers are letters, so the prompt needs {{choices}}")
    if bool(template.continuation) == (score == "generate"):
        expected = "goes not with generate" if score == "generate" else "is missing"
        raise JobError(f"{where}: continuation {expected}")
    if (template.max_new_tokens != 0) != (score == "generate") or template.max_new_tokens < 0:
        expected = "expected 1 or more" if score == "generate" else "goes only with generate"
        raise JobError(f"{where}: max_new_tokens is {template.max_new_tokens}, {expected}")
    if score == "generate" and not template.chat and template.prompt != template.prompt.rstrip():
        raise JobError(f"{where}: the prompt ends with a blank, which belongs to the answer's first token")
    return template


def _grader(where: str, table: Mapping[str, Any], score: str, fields: Fields) -> str:
    if score != "generate":
        if fields.answer_is == "text":
            raise JobError(f"{where}: needs choices, but answers are texts: only generate")
        if "grader" in table:
            raise JobError(f"{where}: grader goes only with generate")
        return ""
    grader = table.get("grader", "")
    _one_of(f"{where}: grader", grader, GRADERS)
    if (grader == "letter") != (fields.answer_is != "text"):
        raise JobError(
            f"{where}: grader letter goes with choices, boxed and number with answers that are texts"
        )
    return str(grader)


def _find(name: str) -> tuple[Path, int | None]:
    """The file of a task's name, and the level that the name ends with."""
    if name.endswith(".toml"):
        return Path(name), None
    if name in names():
        return TASKS / f"{name}.toml", None
    match = LEVEL_NAME.fullmatch(name)
    if match and match[1] in names():
        return TASKS / f"{match[1]}.toml", int(match[2])
    raise JobError(f"no task {name}: jobs/tasks has {', '.join(names())}")


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise JobError(f"{path}: {error}") from error


def _level(path: Path, fields: Fields, by_name: int | None, by_option: int | None) -> int | None:
    if by_name is not None and by_option is not None and by_name != by_option:
        raise JobError(f"{path}: level {by_name} by the task's name, but {by_option} by --level")
    level = by_name if by_name is not None else by_option
    if level is None:
        return None
    if not 1 <= level <= fields.levels:
        has = f"levels 1 to {fields.levels}" if fields.levels else "no levels"
        raise JobError(f"{path}: no level {level}, the task has {has}")
    return level


def load(name: str, score: str | None = None, level: int | None = None) -> Task:
    """The task of this name (or this .toml file) for this score rule, or for the file's first."""
    path, named_level = _find(name)
    content = _parse(path)
    rules = [key for key in content if key not in ("description", "row")]
    for rule in rules:
        _one_of(f"{path}: [{rule}]: the score rule", rule, RULES)
    if not rules:
        raise JobError(f"{path}: has none of the tables {', '.join(RULES)}")
    score = score or rules[0]
    if score not in rules:
        raise JobError(f"{path}: the score rule {score} is not among {', '.join(sorted(rules))}")
    fields = _fields(f"{path}: [row]", content.get("row"))
    table = content[score]
    if not isinstance(table, dict):
        raise JobError(f"{path}: {score} is {table!r}, expected a table")
    grader = _grader(f"{path}: [{score}]", table, score, fields)
    templates = {
        key: _template(f"{path}: [{score}.{key}]", key, value, score, fields, grader)
        for key, value in table.items()
        if key not in SETTINGS
    }
    if not {"plain", "chat"} & set(templates):
        raise JobError(f"{path}: [{score}]: neither [{score}.plain] nor [{score}.chat] is there")
    level = _level(path, fields, named_level, level)
    full_name = path.stem if level is None else f"{path.stem}_{level}"
    return Task(full_name, score, grader, level, fields, templates)
