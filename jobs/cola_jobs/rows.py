"""Reads a benchmark's rows (JSON lines, Hugging Face schema) into questions, and names every bad row.

The right answer is an index: the row's answer key is looked up among the row's own labels. Some ARC rows have
labels 1..4 instead of A..D; published runs that compared keys with letters scored those rows as always wrong.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cola_jobs.progress import JobError
from cola_jobs.task_file import Fields

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Question:
    """One row, checked: at least two choices, gold is an index into them."""

    where: str  # file and line, for errors
    id: str
    question: str
    choices: list[str]
    labels: list[str]
    gold: int
    row: Mapping[str, Any]  # as read


class BadRow(Exception):
    """A row cannot be used; the text says why."""


def _get(row: Any, path: str) -> Any:
    value = row
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            raise BadRow(f"has no field {path}")
        value = value[part]
    return value


def _text(row: Any, path: str) -> str:
    value = _get(row, path)
    if not isinstance(value, str):
        raise BadRow(f"{path} is {type(value).__name__}, expected a string")
    if not value.strip():
        raise BadRow(f"{path} is empty")
    return value


def _key(value: Any, path: str) -> str:
    """A label or an answer key: a string or a whole number, as text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRow(f"{path} is {type(value).__name__}, expected a string or a whole number")
    return str(value).strip()


def _check_unicode(texts: Iterable[str]) -> None:
    """JSON can spell half a surrogate pair, which no text file can hold."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadRow(f"holds half a surrogate pair (character {error.start} of {text[:40]!r})") from error


def _list(row: Any, path: str) -> list[Any]:
    value = _get(row, path)
    if not isinstance(value, list):
        raise BadRow(f"{path} is {type(value).__name__}, expected a list")
    return value


def parse(where: str, row: Any, fields: Fields) -> Question:
    """A question from a decoded row; BadRow says what is wrong with it."""
    if not isinstance(row, dict):
        raise BadRow("is not a JSON object")
    choices = _list(row, fields.choices)
    labels = [_key(label, fields.labels) for label in _list(row, fields.labels)]
    if len(choices) != len(labels):
        raise BadRow(f"has {len(choices)} choices but {len(labels)} labels")
    if not 2 <= len(choices) <= len(LETTERS):
        raise BadRow(f"has {len(choices)} choices, expected 2 to {len(LETTERS)}")
    for index, choice in enumerate(choices):
        if not isinstance(choice, str) or not choice.strip():
            raise BadRow(f"choice {labels[index]} is empty or not a string")
    if len(set(labels)) != len(labels):
        raise BadRow(f"has a label twice: {', '.join(labels)}")
    answer = _key(_get(row, fields.answer), fields.answer)
    if answer not in labels:
        raise BadRow(f"{fields.answer} {answer!r} is not among the labels {', '.join(labels)}")
    question, row_id = _text(row, fields.question), _text(row, fields.id)
    _check_unicode([question, row_id, *choices, *labels])
    return Question(where, row_id, question, choices, labels, labels.index(answer), row)


def _decode(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRow(f"is not UTF-8 (byte {error.start} of the line)") from error
    except (ValueError, RecursionError) as error:
        raise BadRow(f"is not JSON: {error}") from error


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Where and content of every line that is not blank."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{path}:{number}", line
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {error.strerror}") from error


def read(path: Path, fields: Fields, skip: int, limit: int | None) -> tuple[list[Question], list[str]]:
    """The questions after the first `skip`, at most `limit`, and a line about each bad row met on the way."""
    if path.suffix == ".parquet":
        raise JobError(f"{path}: Parquet is not read yet; write the rows as JSON lines (.jsonl)")
    questions: list[Question] = []
    bad: list[str] = []
    first_use: dict[str, str] = {}
    for where, line in _lines(path):
        if limit is not None and len(questions) >= skip + limit:
            break
        try:
            question = parse(where, _decode(line), fields)
            if question.id in first_use:
                raise BadRow(f"has the id {question.id!r} of {first_use[question.id]}")
        except BadRow as error:
            bad.append(f"{where}: {error}")
            continue
        first_use[question.id] = where
        questions.append(question)
    return questions[skip:], bad
