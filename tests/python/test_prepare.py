"""prepare.py: token ids as lm-evaluation-harness and transformers give them, answers through the rows' own
labels, bad rows named by line, and a file that says what docs/format-tasks.md says."""

import json
import re
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import prepare
import pytest
import xxhash
from cola_jobs import task_file
from cola_jobs.progress import JobError
from cola_jobs.text_encoder import TextEncoder
from conftest import DATA, ROOT, read_rows
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WriteRows = Callable[[list[Any]], Path]


class File:
    """A tasks.h5, read the way its page describes."""

    def __init__(self, path: Path) -> None:
        with h5py.File(path) as file:
            self.attributes = dict(file.attrs)
            self.data: dict[str, np.ndarray] = {}
            file.visititems(lambda name, item: self._keep(name, item))

    def _keep(self, name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            self.data[name] = item[()]

    def ragged(self, name: str) -> list[np.ndarray]:
        values, offsets = self.data[f"{name}_values"], self.data[f"{name}_offsets"]
        return [values[a:b] for a, b in pairwise(offsets)]

    def texts(self, name: str) -> list[str]:
        return [bytes(row).decode() for row in self.ragged(name)]

    def per_sample(self, column: list[Any]) -> list[list[Any]]:
        offsets = self.data["samples/candidate_offsets"]
        return [list(column[a:b]) for a, b in pairwise(offsets)]

    def candidate_tokens(self) -> list[list[list[int]]]:
        return self.per_sample([row.tolist() for row in self.ragged("candidates/token")])


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Callable[..., File]:
    """Runs prepare.py's main and reads what it wrote."""

    def run(rows: Path, *options: str, task: str = "arc_easy", score: str = "loglik") -> File:
        out = tmp_path / "out" / f"{score}.h5"
        arguments = ["--model", str(model), "--task", task, "--rows", str(rows), "--out", str(out)]
        assert prepare.main([*arguments, "--score", score, *options]) == 0
        return File(out)

    return run


def row(**changes: Any) -> dict[str, Any]:
    good = {
        "id": "q1",
        "question": "Which is a metal?",
        "choices": {"text": ["iron", "salt", "wood", "air"], "label": ["A", "B", "C", "D"]},
        "answerKey": "A",
    }
    return good | changes


def choices(labels: list[Any], texts: list[Any] | None = None) -> dict[str, Any]:
    return {"text": texts or [f"choice {i}" for i in range(len(labels))], "label": labels}


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


def small_model(directory: Path, config: dict[str, Any]) -> Path:
    """A tokenizer of words that puts <s> before every text, as Llama's does."""
    tokenizer = Tokenizer(models.WordLevel({"<s>": 0, "<unk>": 1, "iron": 2, "salt": 3}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    directory.mkdir()
    tokenizer.save(str(directory / "tokenizer.json"))
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "unk_token": "<unk>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(named | config))
    return directory


def test_begin_of_text_is_added_once(tmp_path: Path) -> None:
    encoder = TextEncoder(small_model(tmp_path / "m", {}))
    assert encoder.encode("iron salt") == [0, 2, 3]
    assert encoder.encode("<s> iron salt") == [0, 2, 3]
    assert encoder.encode("<s> iron salt", chat=True) == [0, 2, 3]
    assert encoder.encode_pair("iron", " salt", chat=False) == ([0, 2], [3])


def test_a_template_that_asks_for_the_date_gets_the_same_every_day(tmp_path: Path) -> None:
    date = "{{ date_string if date_string is defined else strftime_now('%d %b %Y') }}"
    template = date + " {{ messages[0].content }}"
    encoder = TextEncoder(small_model(tmp_path / "m", {"chat_template": template}))
    assert encoder.chat("iron") == "26 Jul 2024 iron"


def test_a_model_without_chat_template_is_refused_for_letter(
    tmp_path: Path, write_rows: WriteRows, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = small_model(tmp_path / "m", {})
    arguments = ["--model", str(directory), "--task", "arc_easy", "--rows", str(write_rows([row()]))]
    assert prepare.main([*arguments, "--score", "letter", "--out", str(tmp_path / "t.h5")]) == 1
    assert "has no chat template" in capsys.readouterr().err


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
        (["--score", "guess"], "the score rule guess is not among letter, loglik"),
        (["--rows", "rows.parquet"], "Parquet is not read yet"),
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


# --- task files


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('prompt = "Question: {question}', 'prompt = "Question: {qestion}', "no placeholder {qestion}"),
        ("chat = false", "chat = 0", "chat is 0, expected a bool"),
        ("chat = false", "chats = false", "unknown key chats"),
        ('id = "id"\n', "", "missing 1 required positional argument: 'id'"),
        ("[row]", "[rows]", "this table is missing"),
        ("[loglik]", "[loglik", "Expected ']'"),
    ],
)
def test_a_mistake_in_a_task_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    text = (task_file.TASKS / "arc_easy.toml").read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new))
    monkeypatch.setattr(task_file, "TASKS", tmp_path)
    with pytest.raises(JobError, match=re.escape(message)):
        task_file.load("mine", "loglik")


def test_braces_in_values_and_templates_stay() -> None:
    assert task_file.fill("{question} \\boxed{}", {"question": "{choice} {}"}) == "{choice} {} \\boxed{}"


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
    """Attributes and data sets with their types, from the page's two tables."""
    page = (ROOT / "docs" / "format-tasks.md").read_text(encoding="utf-8")
    entries = re.findall(r"^\| `([a-z_/]+)` \| ([^|]+) \|", page, re.MULTILINE)
    attributes = {name: kind for name, kind in entries if "/" not in name}
    return attributes, {name: kind.strip() for name, kind in entries if "/" in name}


def test_the_file_holds_what_its_page_says(run: Callable[..., File]) -> None:
    attributes, data_sets = page_tables()
    file = run(DATA / "arc_easy.jsonl", "--limit", "5")
    assert {name: str(values.dtype) for name, values in file.data.items()} == data_sets
    always = {name for name, kind in attributes.items() if "only `generate`" not in kind}
    assert {name for name in file.attributes if not name.startswith("x_")} == always
    assert file.attributes["version"].tolist() == [1, 0]
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


def test_the_program_reads_the_file(model: Path, tmp_path: Path) -> None:
    programs = [ROOT / "build" / preset / "cola" for preset in ("tests", "release")]
    program = next((path for path in programs if path.exists()), None)
    if program is None:
        pytest.skip("neither build/tests/cola nor build/release/cola is built")
    for score in ("loglik", "letter"):
        out = tmp_path / f"{score}.h5"
        arguments = ["--model", str(model), "--task", "arc_easy", "--rows", str(DATA / "arc_easy.jsonl")]
        assert prepare.main([*arguments, "--score", score, "--out", str(out)]) == 0
        shown = subprocess.run([program, "info", str(out)], capture_output=True, text=True, timeout=60)
        assert shown.returncode == 0, shown.stderr
        assert "arc_easy" in shown.stdout
        assert score in shown.stdout
