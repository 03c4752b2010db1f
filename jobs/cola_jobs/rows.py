"""Checks a benchmark's rows, in the Hugging Face schema, and makes them questions; names every bad row.

The right answer of a row with choices is an index: the row's answer key is looked up among the row's own
labels. Some ARC rows have labels 1..4 instead of A..D; published runs that compared keys with letters scored
those rows as always wrong. A row without choices has one candidate, the right answer.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cola_jobs import row_source
from cola_jobs.task_file import Fields

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LEVEL = re.compile(r"(?:level )?([0-9]{1,3})", re.IGNORECASE)


@dataclass(frozen=True)
class Question:
    """One row, checked: gold is an index into the choices."""

    where: str  # file and line, for errors
    id: str
    question: str
    choices: list[str]  # two or more; of a free answer: the right one alone
    labels: list[str]  # as the row has them; of a free answer: [""]
    gold: int
    subject: str
    row: Mapping[str, Any]  # as read


@dataclass
class Rows:
    """What was read: the questions to use, and a line about each bad row met on the way."""

    questions: list[Question] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    n_repeated: int = 0  # rows left out because they repeat an earlier question, where the task allows it
    n_other_level: int = 0  # rows left out because they are of another level


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
    """A label, an answer or an id: a string or a whole number, as text."""
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


def _labels(row: Any, fields: Fields, n_choices: int) -> list[str]:
    """The row's own labels; A, B, .. where its schema has none."""
    if not fields.labels:
        return list(LETTERS[:n_choices])
    labels = [_key(label, fields.labels) for label in _list(row, fields.labels)]
    if len(labels) != n_choices:
        raise BadRow(f"has {n_choices} choices but {len(labels)} labels")
    if len(set(labels)) != len(labels):
        raise BadRow(f"has a label twice: {', '.join(labels)}")
    return labels


def _choices(row: Any, fields: Fields) -> tuple[list[str], list[str]]:
    """Texts and labels of the choices."""
    choices = _list(row, fields.choices)
    if not 2 <= len(choices) <= len(LETTERS):
        raise BadRow(f"has {len(choices)} choices, expected 2 to {len(LETTERS)}")
    labels = _labels(row, fields, len(choices))
    for label, choice in zip(labels, choices, strict=True):
        if not isinstance(choice, str) or not choice.strip():
            raise BadRow(f"choice {label} is empty or not a string")
    return choices, labels


def _gold(row: Any, fields: Fields, labels: list[str]) -> int:
    """The index of the right choice."""
    value = _get(row, fields.answer)
    if fields.answer_is == "label":
        answer = _key(value, fields.answer)
        if answer not in labels:
            raise BadRow(f"{fields.answer} {answer!r} is not among the labels {', '.join(labels)}")
        return labels.index(answer)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRow(f"{fields.answer} is {type(value).__name__}, expected a whole number")
    if not 0 <= value < len(labels):
        raise BadRow(f"{fields.answer} is {value}, expected 0 to {len(labels) - 1}")
    return value


def _free_answer(row: Any, fields: Fields) -> str:
    """The text of the right answer; with answer_after what follows the last such mark."""
    text = _key(_get(row, fields.answer), fields.answer)
    if fields.answer_after:
        if fields.answer_after not in text:
            raise BadRow(f"{fields.answer} has no {fields.answer_after}")
        text = text.rsplit(fields.answer_after, 1)[1].strip()
    if not text:
        behind = f" behind {fields.answer_after}" if fields.answer_after else ""
        raise BadRow(f"{fields.answer} is empty{behind}")
    return text


def _id(row: Any, fields: Fields, number_id: str) -> str:
    """The row's id; where the task numbers its rows and this one has none, the id made of its number."""
    try:
        value = _get(row, fields.id) if fields.id else None
    except BadRow:
        value = None
        if not fields.numbered:
            raise
    if value is None and fields.numbered:
        return number_id
    row_id = _key(value, fields.id)
    if not row_id:
        raise BadRow(f"{fields.id} is empty")
    return row_id


def parse(where: str, row: Any, fields: Fields, number_id: str = "") -> Question:
    """A question from a decoded row; BadRow says what is wrong with it."""
    if not isinstance(row, dict):
        raise BadRow("is not a JSON object")
    if fields.answer_is == "text":
        choices, labels, gold = [_free_answer(row, fields)], [""], 0
    else:
        choices, labels = _choices(row, fields)
        gold = _gold(row, fields, labels)
    question, row_id = _text(row, fields.question), _id(row, fields, number_id)
    subject = _text(row, fields.subject).replace("_", " ") if fields.subject else ""
    _check_unicode([question, row_id, subject, *choices, *labels])
    return Question(where, row_id, question, choices, labels, gold, subject, row)


def _is_of_level(row: Any, path: str, level: int) -> bool:
    value = _get(row, path)
    match = LEVEL.fullmatch(_key(value, path))
    if not match:
        raise BadRow(f"{path} is {value!r}, expected a level as a number")
    return int(match[1]) == level


def _repeats(question: Question, first: Question, fields: Fields) -> bool:
    """True for a row that asks the same again and may be left out; BadRow for any other use of an id."""
    if fields.duplicates == "refuse":
        raise BadRow(f"has the id {question.id!r} of {first.where}")
    if (question.question, question.choices) != (first.question, first.choices):
        raise BadRow(f"has the id {question.id!r} of {first.where}, but another question or answer")
    return True


def read(
    sources: Iterable[str], fields: Fields, name: str, level: int | None, skip: int, limit: int | None
) -> Rows:
    """The questions after the first `skip`, at most `limit`; name is for the ids of rows that have none."""
    result = Rows()
    first_use: dict[str, Question] = {}
    for number, row in enumerate(row_source.read(sources)):
        if limit is not None and len(result.questions) >= skip + limit:
            break
        try:
            if row.problem:
                raise BadRow(row.problem)
            if level is not None and not _is_of_level(row.content, fields.level, level):
                result.n_other_level += 1
                continue
            question = parse(row.where, row.content, fields, f"{name}/{number:06d}")
            first = first_use.get(question.id)
            if first and _repeats(question, first, fields):
                result.n_repeated += 1
                continue
        except BadRow as error:
            result.bad.append(f"{row.where}: {error}")
            continue
        first_use[question.id] = question
        result.questions.append(question)
    del result.questions[:skip]
    return result
