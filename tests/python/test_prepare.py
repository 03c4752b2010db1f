"""prepare.py: token ids as lm-evaluation-harness and transformers give them, answers through the rows' own
labels, bad rows named by line, and a file that says what docs/format-tasks.md says."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import prepare
import pytest
import xxhash
from cola_jobs.progress import JobError
from cola_jobs.text_encoder import TextEncoder
from conftest import DATA, ROOT, File, WriteRows, choices, read_rows, row, small_model

# --- the same ids as other implementations


@pytest.mark.parametrize("task", ["arc_easy", "arc_challenge"])
@pytest.mark.parametrize("score", ["loglik", "letter"])
def test_prompts_and_candidates_equal_those_of_transformers(
    run: Callable[..., File], cases: list[dict[str, Any]], task: str, score: str
) -> None:
    file = run(DATA / f"{task}.jsonl", "--limit", "8", task=task, score=score)
    ids, prompts = file.texts("samples/id"), [p.tolist() for p in file.ragged("samples/prompt")]
    tokens = file.candidate_tokens()
    known = [case for case in cases if case["kind"] == score and case["id"] in ids]
    assert len({case["id"] for case in known}) == 4
    for case in known:
        index = ids.index(case["id"])
        assert prompts[index] == case["prompt"]
        assert tokens[index] == case.get("continuations", [[letter] for letter in case.get("letters", [])])


@pytest.mark.parametrize("task", ["arc_easy", "arc_challenge"])
def test_answers_and_lengths_give_the_accuracies_of_lm_evaluation_harness(
    run: Callable[..., File], task: str
) -> None:
    golden = json.loads((ROOT / "tests/data/lm-eval" / f"{task}.json").read_text())["rows"]
    file = run(DATA / f"{task}.jsonl", "--limit", str(len(golden)), task=task)
    assert file.texts("samples/id") == [entry["id"] for entry in golden]
    n_bytes = file.per_sample(file.data["candidates/n_bytes"].tolist())
    n_norm_differs = 0
    for entry, gold, lengths in zip(golden, file.data["samples/gold"], n_bytes, strict=True):
        log_probability = np.array(entry["logprob"])
        assert float(np.argmax(log_probability) == gold) == entry["acc"], entry["id"]
        assert float(np.argmax(log_probability / np.array(lengths)) == gold) == entry["acc_norm"], entry["id"]
        n_norm_differs += entry["acc"] != entry["acc_norm"]
    assert n_norm_differs > 10  # so that wrong lengths would be seen


def test_blanks_at_the_end_of_a_context_go_to_the_continuation(model: Path) -> None:
    encoder = TextEncoder(model)
    prompt, tokens = encoder.encode_pair("Answer:", " iron", chat=False)
    assert encoder.encode_pair("Answer: ", "iron", chat=False) == (prompt, tokens)
    assert prompt == encoder.encode("Answer:")
    assert prompt + tokens == encoder.encode("Answer: iron")


def test_begin_of_text_is_added_once(tmp_path: Path) -> None:
    encoder = TextEncoder(small_model(tmp_path / "m", {}))
    assert encoder.encode("iron salt") == [0, 2, 3]
    assert encoder.encode("<s> iron salt") == [0, 2, 3]
    assert encoder.encode("<s> iron salt", chat=True) == [0, 2, 3]
    assert encoder.encode("iron salt", chat=True) == [2, 3]  # the chat template decides
    assert encoder.encode_pair("iron", " salt", chat=False) == ([0, 2], [3])


def test_a_template_that_asks_for_the_date_gets_the_same_every_day(tmp_path: Path) -> None:
    date = "{{ date_string if date_string is defined else strftime_now('%d %b %Y') }}"
    template = date + " {{ messages[0].content }}"
    encoder = TextEncoder(small_model(tmp_path / "m", {"chat_template": template}))
    assert encoder.chat("iron") == "26 Jul 2024 iron"


def test_a_model_without_chat_template_cannot_chat(
    tmp_path: Path, write_rows: WriteRows, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = small_model(tmp_path / "m", {})
    arguments = ["--model", str(directory), "--task", "arc_easy", "--rows", str(write_rows([row()]))]
    options = ["--score", "letter", "--template", "chat", "--out", str(tmp_path / "t.h5")]
    assert prepare.main([*arguments, *options]) == 1
    assert "has no chat template" in capsys.readouterr().err


def test_chat_template_jinja_comes_before_tokenizer_config(tmp_path: Path) -> None:
    directory = small_model(tmp_path / "m", {"chat_template": "salt {{ messages[0].content }}"})
    assert TextEncoder(directory).chat("iron") == "salt iron"
    (directory / "chat_template.jinja").write_text("<s> {{ messages[0].content }}")
    assert TextEncoder(directory).chat("iron") == "<s> iron"


def test_letter_asks_a_base_model_plainly(run: Callable[..., File], base_model: Path) -> None:
    encoder = TextEncoder(base_model)
    assert not encoder.has_chat_template()
    file = run(DATA / "arc_easy.jsonl", "--limit", "1", score="letter", model=base_model)
    entry = read_rows("arc_easy")[0]
    lines = [f"{letter}. {text}\n" for letter, text in zip("ABCD", entry["choices"]["text"], strict=True)]
    text = f"Question: {entry['question']}\n{''.join(lines)}Answer:"
    assert file.ragged("samples/prompt")[0].tolist() == encoder.encode(text)
    assert file.candidate_tokens() == [[encoder.encode(f" {letter}") for letter in "ABCD"]]
    assert file.attributes["x_template"] == "plain"


def test_a_chat_model_can_be_asked_plainly(run: Callable[..., File], base_model: Path) -> None:
    options = (DATA / "arc_easy.jsonl", "--limit", "3")
    asked = run(*options, "--template", "plain", score="letter")
    base = run(*options, score="letter", model=base_model)
    assert (asked.data["samples/prompt_values"] == base.data["samples/prompt_values"]).all()
    assert asked.attributes["x_template"] == "plain"


def test_the_second_template_asks_the_same_rows_in_other_words(run: Callable[..., File]) -> None:
    first = run(DATA / "arc_easy.jsonl", "--limit", "5")
    second = run(DATA / "arc_easy.jsonl", "--limit", "5", "--template", "second")
    assert first.texts("samples/id") == second.texts("samples/id")
    assert first.candidate_tokens() == second.candidate_tokens()
    pairs = zip(first.ragged("samples/prompt"), second.ragged("samples/prompt"), strict=True)
    assert all(a.tolist() != b.tolist() for a, b in pairs)
    assert first.attributes["template_fingerprint"] != second.attributes["template_fingerprint"]
    assert (first.attributes["x_template"], second.attributes["x_template"]) == ("plain", "second")


# --- answers go through the labels


@pytest.mark.parametrize(
    ("labels", "answer", "gold"),
    [
        (["A", "B", "C", "D"], "C", 2),
        (["1", "2", "3", "4"], "3", 2),
        ([1, 2, 3, 4], 4, 3),
        (["1", "2", "3", "4"], 1, 0),
        (["A", "B", "C"], "B", 1),
        (["A", "B", "C", "D", "E"], "E", 4),
        (["D", "C", "B", "A"], "A", 3),
    ],
)
def test_answer_key_is_looked_up_among_the_labels(
    run: Callable[..., File], write_rows: WriteRows, labels: list[Any], answer: Any, gold: int
) -> None:
    rows = write_rows([row(choices=choices(labels), answerKey=answer)])
    file = run(rows)
    assert file.data["samples/gold"].tolist() == [gold]
    assert file.texts("candidates/label") == [str(label) for label in labels]
    assert len(file.candidate_tokens()[0]) == len(labels)


def test_letters_go_by_position_where_labels_are_numbers(
    run: Callable[..., File], write_rows: WriteRows, model: Path
) -> None:
    rows = write_rows(
        [row(), row(id="q2", choices=row()["choices"] | {"label": ["1", "2", "3", "4"]}, answerKey="2")]
    )
    file = run(rows, score="letter")
    first, second = (prompt.tolist() for prompt in file.ragged("samples/prompt"))
    assert first == second
    letters = [[[TextEncoder(model).encode(letter)[0]] for letter in "ABCD"]] * 2
    assert file.candidate_tokens() == letters
    assert file.data["samples/gold"].tolist() == [0, 1]


# --- bad rows

NO_ANSWER = row()
del NO_ANSWER["answerKey"]
BAD_ROWS: list[tuple[Any, str]] = [
    (b"{not json", "is not JSON"),
    (b"[1, 2]", "is not a JSON object"),
    (b'{"id": "\xff"}', "is not UTF-8"),
    (b'{"id": ' + b"9" * 5000 + b"}", "is not JSON"),
    (NO_ANSWER, "has no field answerKey"),
    (row(answerKey="E"), "answerKey 'E' is not among the labels A, B, C, D"),
    (row(answerKey=None), "answerKey is NoneType"),
    (row(answerKey=True), "answerKey is bool"),
    (row(question=""), "question is empty"),
    (row(question=" \n"), "question is empty"),
    (row(question=["?"]), "question is list, expected a string"),
    (row(id=""), "id is empty"),
    (row(choices="iron"), "has no field choices.text"),
    (row(choices={"text": "iron", "label": ["A"]}), "choices.text is str, expected a list"),
    (row(choices=choices(["A", "B", "C"], ["x", "y"])), "has 2 choices but 3 labels"),
    (row(choices=choices(["A"])), "has 1 choices"),
    (row(choices=choices(["A", "A"])), "has a label twice"),
    (row(choices=choices(["A", "B"], ["x", ""])), "choice B is empty"),
    (row(choices=choices(["A", "B"], ["x", None])), "choice B is empty or not a string"),
    (row(question="half \ud83d"), "holds half a surrogate pair"),
    (row(id="good"), "has the id 'good' of"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_ROWS, ids=[message for _, message in BAD_ROWS])
def test_a_bad_row_is_named_with_its_line_and_nothing_is_written(
    model: Path,
    tmp_path: Path,
    write_rows: WriteRows,
    capsys: pytest.CaptureFixture[str],
    bad: Any,
    message: str,
) -> None:
    rows = write_rows([row(id="good"), b"", bad, row(id="last")])
    out = tmp_path / "t.h5"
    arguments = ["--model", str(model), "--task", "arc_easy", "--rows", str(rows), "--out", str(out)]
    assert prepare.main(arguments) == 1
    errors = capsys.readouterr().err
    assert f"{rows}:3: " in errors
    assert message in errors
    assert "1 bad rows, nothing written" in errors
    assert not out.exists()
    assert prepare.main([*arguments, "--skip-bad"]) == 0
    assert f"{rows}:3: " in capsys.readouterr().err
    assert File(out).texts("samples/id") == ["good", "last"]


def test_every_bad_row_is_named(
    model: Path, tmp_path: Path, write_rows: WriteRows, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write_rows([bad for bad, _ in BAD_ROWS[:-1]])
    arguments = ["--model", str(model), "--task", "arc_easy", "--rows", str(rows)]
    assert prepare.main([*arguments, "--out", str(tmp_path / "t.h5")]) == 1
    lines = re.findall(rf"{re.escape(str(rows))}:(\d+): ", capsys.readouterr().err)
    assert [int(line) for line in lines] == list(range(1, len(BAD_ROWS)))


def test_no_row_left_is_an_error(
    model: Path, tmp_path: Path, write_rows: WriteRows, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(model), "--task", "arc_easy", "--rows", str(write_rows([row()]))]
    assert prepare.main([*arguments, "--skip", "1", "--out", str(tmp_path / "t.h5")]) == 1
    assert "no row is left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task", "arc_hard"], "no task arc_hard: jobs/tasks has arc_challenge, arc_easy"),
        (["--task", "arc_easy_2"], "no level 2, the task has no levels"),
        (["--level", "1"], "no level 1, the task has no levels"),
        (["--task", "dart_math_6"], "no level 6, the task has levels 1 to 5"),
        (["--task", "dart_math_3", "--level", "2"], "level 3 by the task's name, but 2 by --level"),
        (["--score", "guess"], "the score rule guess is not among generate, letter, loglik"),
        (["--task", "gsm8k", "--score", "loglik"], "the score rule loglik is not among generate"),
        (["--template", "third"], "loglik has no template third, it has plain, second"),
        (["--template", "chat"], "loglik has no template chat, it has plain, second"),
        (["--max-new-tokens", "5"], "--max-new-tokens goes only with --score generate, not with loglik"),
        (["--task", "gsm8k", "--reorder", "1"], "--reorder: the questions of gsm8k have no choices"),
        (["--reorder", "1"], "the prompt of loglik (plain) does not show the choices"),
        (["--rows", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
        (["--model", "nowhere"], "has no tokenizer.json"),
    ],
)
def test_a_wrong_option_is_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    arguments = ["--model", str(model), "--task", "arc_easy", "--rows", str(DATA / "arc_easy.jsonl")]
    assert prepare.main([*arguments, "--out", str(tmp_path / "t.h5"), *options]) == 1
    assert message in capsys.readouterr().err


def test_skip_and_limit_choose_rows(run: Callable[..., File]) -> None:
    ids = [entry["id"] for entry in read_rows("arc_easy")]
    file = run(DATA / "arc_easy.jsonl", "--skip", "3", "--limit", "5")
    assert file.texts("samples/id") == ids[3:8]


# --- fingerprints and format


def test_fingerprints_change_with_what_they_name(
    run: Callable[..., File], write_rows: WriteRows, model: Path
) -> None:
    def prints(rows: list[Any], **options: str) -> tuple[str, str, str]:
        attributes = run(write_rows(rows), **options).attributes
        return tuple(attributes[f"{name}_fingerprint"] for name in ("tokenizer", "template", "data"))

    tokenizer, template, data = prints([row()])
    assert tokenizer == f"xxh3:{xxhash.xxh3_128_hexdigest((model / 'tokenizer.json').read_bytes())}"
    assert prints([row()]) == (tokenizer, template, data)
    assert prints([dict(reversed(row().items()))]) == (tokenizer, template, data)
    other_data = prints([row(question="Which is no metal?")])
    assert other_data[:2] == (tokenizer, template)
    assert other_data[2] != data
    by_letter = prints([row()], score="letter")
    assert by_letter[0] == tokenizer
    assert by_letter[1] != template
    assert by_letter[2] == data


def page_tables() -> tuple[dict[str, str], dict[str, str]]:
    """Attributes and data sets with their types, from the page's two tables. Types of what is not in every
    file say so."""
    page = (ROOT / "docs" / "format-tasks.md").read_text(encoding="utf-8")
    tables = page.split("## Root attributes")[1].split("## generate")[0]
    entries = re.findall(r"^\| `([a-z_/]+)` \| ([^|]+) \|([^\n]*)", tables, re.MULTILINE)
    attributes = {name: kind for name, kind, _ in entries if "/" not in name}
    reorderings = "only with re-orderings"
    data_sets = {
        name: kind.strip() + (f", {reorderings}" if reorderings in rest else "")
        for name, kind, rest in entries
        if "/" in name
    }
    return attributes, data_sets


@pytest.mark.parametrize(
    ("score", "options", "left_out"),
    [
        ("loglik", [], ("only with re-orderings", "only `generate`")),
        ("generate", ["--reorder", "1"], ()),
    ],
)
def test_the_file_holds_what_its_page_says(
    run: Callable[..., File], score: str, options: list[str], left_out: tuple[str, ...]
) -> None:
    attributes, data_sets = page_tables()
    assert len(data_sets) == 19
    file = run(DATA / "arc_easy.jsonl", "--limit", "5", *options, score=score)
    expected = {
        name: kind.split(",")[0]
        for name, kind in data_sets.items()
        if not any(mark in kind for mark in left_out)
    }
    assert {name: str(values.dtype) for name, values in file.data.items()} == expected
    there = {name for name, kind in attributes.items() if not any(mark in kind for mark in left_out)}
    assert {name for name in file.attributes if not name.startswith("x_")} == there
    assert file.attributes["version"].tolist() == [1, 1]
    assert file.attributes["version"].dtype == np.int32
    for name, values in file.data.items():
        assert values.ndim == 1, name
        if name.endswith("offsets"):
            assert values[0] == 0, name
            assert (np.diff(values.astype(np.int64)) >= 0).all(), name


def test_texts_are_the_rows(run: Callable[..., File]) -> None:
    file = run(DATA / "arc_challenge.jsonl", "--limit", "20", task="arc_challenge")
    rows = read_rows("arc_challenge")[:20]
    assert file.texts("texts/question") == [entry["question"] for entry in rows]
    assert file.texts("texts/choice") == [text for entry in rows for text in entry["choices"]["text"]]
    n_bytes = [len(text.encode()) for entry in rows for text in entry["choices"]["text"]]
    assert file.data["candidates/n_bytes"].tolist() == n_bytes


@pytest.mark.parametrize(
    "template", ["{% for m in messages %}{{ nope(", "{{ raise_exception('no system') }}"]
)
def test_a_chat_template_that_fails_is_named(template: str, model: Path, tmp_path: Path) -> None:
    """Wrong syntax and the template's own refusal are one line with the model's directory, no traceback."""
    copy = tmp_path / "model"
    shutil.copytree(model, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    (copy / "chat_template.jinja").write_text(template)
    with pytest.raises(JobError, match="chat template fails"):
        TextEncoder(copy).chat("hello")
