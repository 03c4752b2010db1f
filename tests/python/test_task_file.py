"""Task files: the shipped ones load whole, a mistake is named with its file and table, and a user's own file
works without touching code."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cola_jobs import task_file
from cola_jobs.progress import JobError
from cola_jobs.text_encoder import TextEncoder
from conftest import ROOT, File, WriteRows


@pytest.mark.parametrize("name", task_file.names())
def test_every_rule_of_every_shipped_task_loads(name: str) -> None:
    content = task_file._parse(task_file.TASKS / f"{name}.toml")
    rules = [key for key in content if key not in ("description", "row")]
    for rule in rules:
        task = task_file.load(name, rule)
        assert {task.choose("auto", True), task.choose("auto", False)} <= {"plain", "chat"}
        assert task.name == name
    assert task_file.load(name).score == rules[0]


def test_the_benchmarks_of_the_papers_are_there() -> None:
    for name in ("arc_easy", "arc_challenge", "gsm8k", "mmlu", *(f"dart_math_{n}" for n in range(1, 6))):
        assert task_file.load(name).name == name


@pytest.mark.parametrize(
    ("model_chats", "template", "chosen"),
    [(True, "auto", "chat"), (False, "auto", "plain"), (True, "plain", "plain"), (False, "chat", "chat")],
)
def test_template_goes_by_the_model_unless_asked_for(model_chats: bool, template: str, chosen: str) -> None:
    assert task_file.load("arc_easy", "letter").choose(template, model_chats) == chosen


def test_loglik_is_asked_plainly_of_chat_models_too() -> None:
    assert task_file.load("arc_easy", "loglik").choose("auto", model_chats=True) == "plain"


def test_a_level_is_part_of_the_name() -> None:
    assert task_file.load("dart_math", level=4) == task_file.load("dart_math_4")
    assert task_file.load("dart_math_4").level == 4
    assert task_file.load("dart_math").level is None


MISTAKES: list[tuple[str, str, str, str]] = [
    (
        "arc_easy",
        'prompt = "Question: {question}',
        'prompt = "Question: {qestion}',
        "no placeholder {qestion}",
    ),
    ("arc_easy", 'continuation = " {choice}"', 'continuation = " {text}"', "no placeholder {text}"),
    ("arc_easy", "{letter}. {choice}", "{label}. {choice}", "no placeholder {label}"),
    ("arc_easy", "chat = false", "chat = 0", "[loglik.second]: chat is 0, expected a bool"),
    ("arc_easy", "chat = false", "", "[loglik.second]: chat is missing"),
    ("arc_easy", "chat = false", "chats = false", "[loglik.second]: unknown key chats"),
    (
        "arc_easy",
        "[letter.chat]",
        "[letter.chat]\nchat = true",
        "the template's name says whether it is a chat",
    ),
    ("arc_easy", 'id = "id"\n', "", "[row]: id (or numbered = true) is missing"),
    ("arc_easy", 'question = "question"\n', "", "[row]: question is missing"),
    ("arc_easy", 'labels = "choices.label"\n', "", "[row]: labels is missing"),
    ("arc_easy", 'id = "id"\n', 'id = "id"\nanswer_is = "letter"\n', "answer_is is 'letter', expected label"),
    ("arc_easy", 'id = "id"\n', 'id = "id"\nduplicates = "last"\n', "duplicates is 'last', expected refuse"),
    ("arc_easy", 'id = "id"\n', 'id = "id"\nanswer_after = "x"\n', "answer_after goes only with answer_is"),
    ("arc_easy", 'id = "id"\n', 'id = "id"\nlevels = 3\n', "[row]: level is missing"),
    ("arc_easy", "[row]", "[rows]", "[rows]: the score rule is 'rows', expected loglik, letter or generate"),
    ("arc_easy", "[loglik.plain]", "[loglik.plain", "Expected ']'"),
    (
        "arc_easy",
        "[loglik.plain]",
        "[loglik.first]\nchat = false",
        "neither [loglik.plain] nor [loglik.chat]",
    ),
    ("arc_easy", 'continuation = " {choice}"\n', "", "[loglik.plain]: continuation is missing"),
    ("arc_easy", 'continuation = "{letter}"\n', "", "[letter.chat]: continuation is missing"),
    ("arc_easy", "{question}\\n{choices}Answer:", "{question}\\nAnswer:", "choice_line go together"),
    ("arc_easy", 'choice_line = "{letter}. {choice}\\n"\n', "", "choice_line go together"),
    ("arc_easy", 'grader = "letter"', "", "[generate]: grader is '', expected letter, boxed or number"),
    ("arc_easy", 'grader = "letter"', "grader = 3", "[generate]: grader is 3, expected letter"),
    ("arc_easy", 'grader = "letter"', 'grader = "boxed"', "grader letter goes with choices"),
    ("arc_easy", "max_new_tokens = 10", "max_new_tokens = 0", "max_new_tokens is 0, expected 1 or more"),
    ("arc_easy", "max_new_tokens = 10", "max_new_tokens = true", "max_new_tokens is True, expected a int"),
    ("arc_easy", "[letter.plain]", "[letter.plain]\nmax_new_tokens = 3", "goes only with generate"),
    (
        "arc_easy",
        "[letter.plain]",
        "[letter]\ngrader = 'letter'\n[letter.plain]",
        "grader goes only with generate",
    ),
    ("dart_math", 'grader = "boxed"', 'grader = "letter"', "grader letter goes with choices"),
    ("dart_math", "[generate]", "[loglik.plain]\nprompt = 'x'\n[generate]", "only generate"),
    ("dart_math", 'id = "query_id"', 'id = "query_id"\nchoices = "c"', "goes without choices"),
    ("dart_math", "boxed{}.\\nAnswer:", "boxed{}.\\nAnswer: ", "the prompt ends with a blank"),
    ("dart_math", "max_new_tokens = 12", "max_new_tokens = 12\ncontinuation = 'x'", "goes not with generate"),
    (
        "gsm8k",
        "Question: {question}\\nAnswer:",
        "{choices}\\nAnswer:",
        "no placeholder {choices}, only question",
    ),
    ("mmlu", 'subject = "subject"', "", "no placeholder {subject}"),
]


@pytest.mark.parametrize(("task", "old", "new", "message"), MISTAKES, ids=[m[3][:40] for m in MISTAKES])
def test_a_mistake_in_a_task_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, old: str, new: str, message: str
) -> None:
    text = (task_file.TASKS / f"{task}.toml").read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new))
    monkeypatch.setattr(task_file, "TASKS", tmp_path)
    with pytest.raises(JobError, match=re.escape(message)) as caught:
        for rule in task_file.RULES:
            if re.search(rf"^\[{rule}[.\]]", (tmp_path / "mine.toml").read_text(), re.MULTILINE):
                task_file.load("mine", rule)
        task_file.load("mine")
    assert str(tmp_path / "mine.toml") in str(caught.value)


def test_braces_in_values_and_templates_stay() -> None:
    assert task_file.fill("{question} \\boxed{}", {"question": "{choice} {}"}) == "{choice} {} \\boxed{}"


OWN_TASK = """
[row]
id = "key"
question = "body.text"
answer = "body.result"
answer_is = "text"

[generate]
grader = "number"

[generate.plain]
prompt = "{question} ="
max_new_tokens = 3
"""


def test_a_task_file_outside_of_the_project_works(
    run: Callable[..., File], tmp_path: Path, write_rows: WriteRows, model: Path
) -> None:
    (tmp_path / "sums.toml").write_text(OWN_TASK)
    rows = write_rows([{"key": 7, "body": {"text": "3 + 4", "result": 7}}])
    file = run(rows, task=str(tmp_path / "sums.toml"), score="generate")
    assert file.attributes["task"] == "sums"
    assert file.texts("samples/id") == ["7"]
    assert file.texts("texts/choice") == ["7"]
    assert file.ragged("samples/prompt")[0].tolist() == TextEncoder(model).encode("3 + 4 =")
    assert file.attributes["max_new_tokens"] == 3


def test_a_missing_task_file_is_named() -> None:
    with pytest.raises(JobError, match=r"nowhere\.toml: cannot be read"):
        task_file.load("nowhere.toml")


def test_every_key_is_on_the_page() -> None:
    page = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    keys: dict[str, Any] = task_file.Fields.__dataclass_fields__ | task_file.Template.__dataclass_fields__
    for key in [*keys, *task_file.SETTINGS, "description"]:
        assert f"`{key}`" in page, key
