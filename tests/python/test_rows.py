"""Rows of every source and benchmark: JSON lines, Parquet and the hub give the same questions; rows that
cannot be used are named; repeated problems and other levels are left out."""

import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import prepare
import pytest
from cola_jobs import row_source, rows, task_file
from cola_jobs.progress import JobError
from conftest import BENCHMARKS, DATA, File, WriteRows, read_rows, row


def parquet(path: Path, content: list[dict[str, Any]], **options: Any) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: jobs/setup.sh tests")
    from pyarrow.parquet import write_table

    write_table(pyarrow.Table.from_pylist(content), path, **options)
    return path


def read(task: str, *sources: Any, level: int | None = None, limit: int | None = None) -> rows.Rows:
    loaded = task_file.load(task, level=level)
    return rows.read([str(s) for s in sources], loaded.fields, loaded.name, loaded.level, 0, limit)


# --- sources


@pytest.mark.parametrize("task", ["arc_easy", "arc_challenge", "dart_math", "gsm8k"])
def test_parquet_gives_the_same_file_as_json_lines(
    run: Callable[..., File], tmp_path: Path, task: str
) -> None:
    score = "loglik" if task.startswith("arc") else "generate"
    path = parquet(tmp_path / "rows.parquet", read_rows(task), row_group_size=7)
    by_json = run(DATA / f"{task}.jsonl", "--limit", "30", task=task, score=score)
    by_parquet = run(path, "--limit", "30", task=task, score=score)
    assert len(by_json.texts("samples/id")) == 30
    assert by_json.data.keys() == by_parquet.data.keys()
    for name, values in by_json.data.items():
        assert (values == by_parquet.data[name]).all(), name
    for name, value in by_json.attributes.items():
        assert np.array_equal(value, by_parquet.attributes[name]), name


def test_a_bad_row_of_a_parquet_file_is_named_by_its_number(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", [row(), row(id="q2", answerKey=None), row(id="q3")])
    found = read("arc_easy", path)
    assert [q.id for q in found.questions] == ["q1", "q3"]
    assert found.bad == [f"{path}: row 2: answerKey is NoneType, expected a string or a whole number"]


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: jobs/setup.sh tests")
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"not a table")
    with pytest.raises(JobError, match=r"rows\.parquet: cannot be read as Parquet"):
        read("arc_easy", path)
    with pytest.raises(JobError, match=r"nowhere\.parquet: cannot be read as Parquet"):
        read("arc_easy", tmp_path / "nowhere.parquet")


def test_without_pyarrow_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(JobError, match=r"needs pyarrow.*pip install -r jobs/requirements-parquet\.txt"):
        read("arc_easy", "rows.parquet")


def test_several_files_are_read_one_after_another(run: Callable[..., File], tmp_path: Path) -> None:
    content = read_rows("gsm8k")[:6]
    for entry in content:
        del entry["id"]
    parts = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for index, part in enumerate(parts):
        lines = [json.dumps(entry) + "\n" for entry in content[3 * index : 3 * index + 3]]
        part.write_text("".join(lines))
    file = run(parts, task="gsm8k", score="generate")
    assert file.texts("texts/question") == [entry["question"] for entry in content]
    assert file.texts("samples/id") == [f"gsm8k/{number:06d}" for number in range(6)]


Load = Callable[..., Iterator[dict[str, Any]]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[Load], None]:
    """Stands in for the package datasets."""

    def install(load: Load) -> None:
        module = types.ModuleType("datasets")
        module.load_dataset = load  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "datasets", module)

    return install


def test_rows_of_the_hub_are_asked_for_by_name(run: Callable[..., File], hub: Callable[[Load], None]) -> None:
    asked = []

    def load(*name: str, split: str) -> Iterator[dict[str, Any]]:
        asked.append((*name, split))
        return iter(read_rows("arc_easy"))

    hub(load)
    by_hub = run("hf:allenai/ai2_arc:ARC-Easy:test", "--limit", "5")
    by_json = run(DATA / "arc_easy.jsonl", "--limit", "5")
    assert asked == [("allenai/ai2_arc", "ARC-Easy", "test")]
    assert (by_hub.data["samples/prompt_values"] == by_json.data["samples/prompt_values"]).all()
    assert by_hub.attributes["data_fingerprint"] == by_json.attributes["data_fingerprint"]
    list(row_source.read(["hf:openai/gsm8k:test"]))
    assert asked[1] == ("openai/gsm8k", "test")


def test_a_bad_row_of_the_hub_is_named(hub: Callable[[Load], None]) -> None:
    hub(lambda *name, split: iter([row(), row(answerKey="X")]))
    assert read("arc_easy", "hf:a/b:test").bad == [
        "hf:a/b:test: row 2: answerKey 'X' is not among the labels A, B, C, D"
    ]


def test_what_the_hub_cannot_load_is_named(hub: Callable[[Load], None]) -> None:
    def load(*name: str, split: str) -> Iterator[dict[str, Any]]:
        raise ConnectionError("no network")

    hub(load)
    with pytest.raises(JobError, match="hf:a/b:test: datasets cannot load it: no network"):
        read("arc_easy", "hf:a/b:test")


def test_without_datasets_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(JobError, match=r"pip install datasets; or download the data set's Parquet file"):
        read("arc_easy", "hf:a/b:test")


@pytest.mark.parametrize("source", ["hf:", "hf:a/b", "hf:a/b:", "hf:a/b::test", "hf:a/b:c:d:e"])
def test_a_name_of_the_hub_that_is_none_is_refused(source: str) -> None:
    with pytest.raises(JobError, match="expected hf:REPOSITORY:SPLIT"):
        read("arc_easy", source)


# --- benchmarks


@pytest.mark.parametrize("task", ["arc_easy", "arc_challenge", "dart_math", "gsm8k"])
def test_every_shipped_row_is_good(task: str) -> None:
    found = read(task, DATA / f"{task}.jsonl")
    assert not found.bad
    assert len(found.questions) == len(read_rows(task))


def test_labels_of_every_kind_are_handled() -> None:
    found = read("arc_challenge", BENCHMARKS / "arc_labels.jsonl")
    assert not found.bad
    assert [(q.id, q.gold) for q in found.questions] == [
        ("letters", 0),
        ("numbers", 1),
        ("three", 2),
        ("five", 4),
        ("five numbers", 3),
        ("two", 0),
    ]
    assert {q.choices[q.gold] for q in found.questions} == {"iron", "yes"}


def test_mmlu_takes_indices_and_numbers_its_rows(run: Callable[..., File]) -> None:
    file = run(BENCHMARKS / "mmlu.jsonl", task="mmlu", score="letter")
    assert file.texts("samples/id") == [f"mmlu/{number:06d}" for number in range(4)]
    assert file.data["samples/gold"].tolist() == [2, 1, 3, 0]
    assert file.per_sample(file.texts("candidates/label")) == [["A", "B", "C", "D"]] * 4
    text = file.decode(file.ragged("samples/prompt")[3])
    assert "a multiple choice question about abstract algebra.\n\nThe order of" in text
    assert "\nA. 6\nB. 3\nC. 6\nD. 9\nAnswer with a single letter." in text


MMLU = {"question": "?", "subject": "s", "choices": ["a", "b", "c", "d"], "answer": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": 4}, "answer is 4, expected 0 to 3"),
        ({"answer": -1}, "answer is -1, expected 0 to 3"),
        ({"answer": "D"}, "answer is str, expected a whole number"),
        ({"answer": True}, "answer is bool, expected a whole number"),
        ({"choices": ["a", "b", "", "d"]}, "choice C is empty or not a string"),
        ({"choices": ["a"]}, "has 1 choices, expected 2 to 26"),
        ({"subject": ""}, "subject is empty"),
    ],
)
def test_a_bad_row_of_mmlu_is_named(write_rows: WriteRows, change: dict[str, Any], message: str) -> None:
    path = write_rows([MMLU, MMLU | change])
    found = read("mmlu", path)
    assert found.bad == [f"{path}:2: {message}"]
    assert len(found.questions) == 1


DART = {"query_id": "q", "query": "1 + 1?", "gt_ans": "2", "query_metadata": {"level": 1}}


def test_problems_are_taken_once(write_rows: WriteRows) -> None:
    again = DART | {"response": "two"}
    found = read("dart_math", write_rows([DART, again, DART | {"query_id": "r"}, DART]))
    assert [q.id for q in found.questions] == ["q", "r"]
    assert (found.n_repeated, found.bad) == (2, [])


def test_another_problem_of_the_same_id_is_bad(write_rows: WriteRows) -> None:
    path = write_rows([DART, DART | {"gt_ans": "3"}, DART | {"query": "2 + 1?"}])
    found = read("dart_math", path)
    problem = f"has the id 'q' of {path}:1, but another question or answer"
    assert found.bad == [f"{path}:2: {problem}", f"{path}:3: {problem}"]


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_a_level_takes_its_rows_only(run: Callable[..., File], level: int) -> None:
    ids = [e["query_id"] for e in read_rows("dart_math") if e["query_metadata"]["level"] == level]
    assert len(ids) == 20
    by_name = run(DATA / "dart_math.jsonl", task=f"dart_math_{level}", score="generate")
    assert by_name.texts("samples/id") == ids
    assert by_name.attributes["task"] == f"dart_math_{level}"
    by_option = run(DATA / "dart_math.jsonl", "--level", str(level), task="dart_math", score="generate")
    assert by_option.texts("samples/id") == ids
    assert by_option.attributes["task"] == f"dart_math_{level}"


@pytest.mark.parametrize("spelling", [3, "3", "Level 3"])
def test_levels_are_numbers_or_end_with_one(write_rows: WriteRows, spelling: Any) -> None:
    rows_3 = write_rows([DART | {"query_metadata": {"level": spelling}}, DART])
    assert len(read("dart_math", rows_3, level=3).questions) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gt_ans": ""}, "gt_ans is empty"),
        ({"gt_ans": " \n"}, "gt_ans is empty"),
        ({"gt_ans": None}, "gt_ans is NoneType"),
        ({"query": ""}, "query is empty"),
        ({"query_id": ""}, "query_id is empty"),
        ({"query_id": None}, "query_id is NoneType"),
        ({"query_metadata": {}}, "has no field query_metadata.level"),
        ({"query_metadata": {"level": "Level ?"}}, "query_metadata.level is 'Level ?', expected a level"),
    ],
)
def test_a_bad_row_of_dart_math_is_named(write_rows: WriteRows, change: dict[str, Any], message: str) -> None:
    path = write_rows([DART | change, DART | {"query_id": "good"}])
    found = read("dart_math", path, level=1)
    assert [q.id for q in found.questions] == ["good"]
    assert len(found.bad) == 1
    assert found.bad[0].startswith(f"{path}:1: {message}")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("9 + 9 = 18\n#### 18", "18"),
        ("#### 70,000", "70,000"),
        ("x\n####-5 ", "-5"),
        ("#### 3.5", "3.5"),
        ("#### $18.00", "$18.00"),
        ("#### 12\n#### 13", "13"),
    ],
)
def test_the_answer_of_gsm8k_is_behind_the_hashes(
    run: Callable[..., File], write_rows: WriteRows, answer: str, text: str
) -> None:
    file = run(write_rows([{"question": "?", "answer": answer}]), task="gsm8k", score="generate")
    assert file.texts("texts/choice") == [text]
    assert file.data["samples/gold"].tolist() == [0]
    assert file.texts("candidates/label") == [""]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("eighteen", "answer has no ####"),
        ("so 18\n####", "answer is empty behind ####"),
        ("so 18\n#### \n", "answer is empty behind ####"),
        ("#### eighteen", "the answer is 'eighteen', expected a number"),
        ("#### 1,8", "the answer is '1,8', expected a number"),
        ("#### 18 eggs", "the answer is '18 eggs', expected a number"),
        ("#### -", "the answer is '-', expected a number"),
        ("#### " + "9" * 39, "expected a number"),
    ],
)
def test_a_bad_answer_of_gsm8k_is_named(
    model: Path,
    tmp_path: Path,
    write_rows: WriteRows,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    message: str,
) -> None:
    path = write_rows([{"question": "?", "answer": "#### 1"}, {"question": "?", "answer": answer}])
    out = tmp_path / "t.h5"
    arguments = ["--model", str(model), "--task", "gsm8k", "--rows", str(path), "--out", str(out)]
    assert prepare.main(arguments) == 1
    errors = capsys.readouterr().err
    assert f"{path}:2: " in errors
    assert message in errors
    assert not out.exists()
    assert prepare.main([*arguments, "--skip-bad"]) == 0
    assert File(out).texts("samples/id") == ["gsm8k/000000"]
