"""cola-regrade on a synthetic run and its tasks, and the table of pairs against math-verify itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import SHORT, Chain, File, Sample, base

from cola_analysis.read import RunError
from cola_analysis.regrade import boxes, main, math_verify_judge

ROOT = Path(__file__).resolve().parents[2]
PAIRS = ROOT / "tests/data/grades/pairs.tsv"
AGREEMENT = 0.97
STOP = 1
VOCABULARY = [
    b"x",
    b"<stop>",
    b"So ",
    b"\\boxed{",
    b"}",
    b"0.5",
    b"7",
    b"\\frac12",
    b"####",
    b" ",
    b"\xff",
    b"8",
]
HALF = [2, 3, 5, 4, STOP, 6]
SEVEN = [2, 3, 6, 4]
LAST_IS_EIGHT = [3, 5, 4, 9, 3, 11, 4]


def ragged(file: h5py.File, name: str, rows: list[list[int]] | list[bytes], dtype: type) -> None:
    file[f"{name}offsets"] = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.uint64)
    file[f"{name}values"] = np.array([x for row in rows for x in row], dtype=dtype)


def write_run(
    path: Path, tokens: list[list[int]], golds: list[bytes], samples: list[Sample], **changed: str
) -> str:
    """A run of rule generate that looks for the golds."""
    File(samples, {"score": "generate", "grader": "boxed", **changed}).write(path)
    with h5py.File(path, "r+") as file:
        del file["texts/target_values"], file["texts/target_offsets"]
        ragged(file, "texts/target_", golds, np.uint8)
        for name in ("scores/token_values", "scores/token_offsets"):
            if name in file:
                del file[name]
        ragged(file, "scores/token_", tokens, np.int32)
    return str(path)


def write_tasks(path: Path, ids: list[bytes], vocabulary: list[bytes] | None = None) -> str:
    with h5py.File(path, "w") as file:
        file.attrs["filetype"] = "cola-tasks"
        file.attrs["stop_tokens"] = np.array([STOP], dtype=np.int32)
        ragged(file, "samples/id_", ids, np.uint8)
        if vocabulary is not None:
            ragged(file, "vocabulary/", vocabulary, np.uint8)
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Two samples: the search says right, wrong, right, wrong; and a chain without tokens, which is wrong."""
    samples = [Sample([base(0), Chain(SHORT, 1)]), Sample([base(0), Chain(SHORT, 1), Chain(SHORT, None)])]
    run = write_run(
        tmp_path / "run.h5", [HALF, SEVEN, SEVEN, LAST_IS_EIGHT, []], [b"\\frac{1}{2}", b"0.5"], samples
    )
    return run, write_tasks(tmp_path / "tasks.h5", [b"q0", b"q1"], VOCABULARY)


def contains_half(gold: str, text: str) -> bool:
    assert gold in ("\\frac{1}{2}", "0.5")
    return "0.5" in text


def test_counts_and_disagreements_are_reported(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([files[0], "--tasks", files[1]], contains_half) == 0
    lines = capsys.readouterr().out.splitlines()
    table = {line.strip().rsplit(None, 1)[0]: int(line.split()[-1]) for line in lines[2:6]}
    assert table == {
        "both right": 1,
        "only the search right": 1,
        "only math-verify right": 1,
        "neither right": 1,
    }
    assert "agreement: 2 of 4 (50.00 %)" in lines
    assert "without generated tokens, not graded: 1" in lines
    assert lines[-2] == "q1 (tasks row 1), chain 0: search: right, math-verify: not; gold '0.5', answer '7'"
    assert "chain 1: search: not right, math-verify: right" in lines[-1] and "answer '8'" in lines[-1]


def test_json_holds_the_texts_up_to_the_stop_token(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def judge(gold: str, text: str) -> bool:
        seen.append(text)
        return False

    assert main([files[0], "--tasks", files[1], "--json"], judge) == 0
    found = json.loads(capsys.readouterr().out)
    assert seen == ["So \\boxed{0.5}", "So \\boxed{7}", "So \\boxed{7}", "\\boxed{0.5} \\boxed{8}"]
    assert found["counts"]["only the search right"] == 2
    assert [d["row"] for d in found["disagreements"]] == [0, 2]


def test_token_beyond_the_vocabulary_stands_for_nothing(
    tmp_path: Path, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def judge(gold: str, text: str) -> bool:
        seen.append(text)
        return False

    assert (
        main([files[0], "--tasks", write_tasks(tmp_path / "t.h5", [b"q0", b"q1"], VOCABULARY[:5])], judge)
        == 0
    )
    assert seen[:2] == ["So \\boxed{}", "So \\boxed{}"]


def test_tasks_beside_the_run_are_found(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([files[0]], contains_half) == 0
    assert "agreement: 2 of 4" in capsys.readouterr().out
    Path(files[1]).rename(Path(files[1]).with_name("moved.h5"))
    assert main([files[0]], contains_half) == 1
    assert "name the tasks that were searched: --tasks TASKS.h5" in capsys.readouterr().err


def test_limit_cuts_the_list(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([files[0], "--tasks", files[1], "--limit", "1"], contains_half) == 0
    assert capsys.readouterr().out.endswith("and 1 more: --limit 0 shows all\n")


def test_math_verify_grades_any_box(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("math_verify")
    assert main([files[0], "--tasks", files[1], "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert counts == {
        "both right": 1,
        "only the search right": 1,
        "only math-verify right": 1,
        "neither right": 1,
    }


def test_math_verify_grades_numbers_behind_hashes() -> None:
    pytest.importorskip("math_verify")
    judge = math_verify_judge("number")
    assert judge("9*2=18\n#### 1,018", "so 5 #### 1018\nQuestion 7")
    assert not judge("#### 18", "#### 19")
    assert judge("18", "It makes 18 dollars.")


def test_missing_math_verify_says_how_to_install_it(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)
    assert main([files[0], "--tasks", files[1]]) == 1
    assert "pip install 'math-verify" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ids", "vocabulary", "words"),
    [
        ([b"q0", b"other"], VOCABULARY, "not the tasks that were searched"),
        ([b"q0"], VOCABULARY, "not the tasks that were searched"),
        ([b"q0", b"q1"], None, "no vocabulary/"),
    ],
)
def test_tasks_that_do_not_fit_are_refused(
    tmp_path: Path,
    files: tuple[str, str],
    ids: list[bytes],
    vocabulary: list[bytes] | None,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tasks = write_tasks(tmp_path / "other.h5", ids, vocabulary)
    assert main([files[0], "--tasks", tasks], contains_half) == 1
    captured = capsys.readouterr()
    assert words in captured.err and captured.out == ""


def test_runs_that_generate_nothing_and_other_graders_are_refused(
    tmp_path: Path, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    plain = str(File([Sample([base(0)])]).write(tmp_path / "plain.h5"))
    assert main([plain, "--tasks", files[1], "--grader", "math-verify"], contains_half) == 1
    assert "only `generate` stores tokens" in capsys.readouterr().err
    letters = write_run(tmp_path / "letters.h5", [SEVEN], [b"7"], [Sample([base(0)])], grader="letter")
    with pytest.raises(SystemExit):
        main([letters, "--tasks", files[1], "--rule", "letter"])
    assert main([letters, "--tasks", write_tasks(tmp_path / "t.h5", [b"q0"], VOCABULARY)]) == 1
    assert "grader 'letter'" in capsys.readouterr().err


def test_samples_without_a_target_are_counted_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "r.h5", [SEVEN], [b"7"], [Sample([base(0)], gold=-1)])
    assert main([run, "--tasks", write_tasks(tmp_path / "t.h5", [b"q0"], VOCABULARY)], contains_half) == 0
    assert "of samples without an answer to look for, not graded: 1" in capsys.readouterr().out


def test_boxes_are_found_as_the_grader_finds_them() -> None:
    assert boxes("\\boxed{1} \\fbox{2} \\boxed {3}") == ["1", "2", "3"]
    assert boxes("\\boxed{\\boxed{4}}") == ["\\boxed{4}", "4"]
    assert boxes("\\boxed{\\{1\\}} \\boxed{ } \\boxed{5") == ["\\{1\\}"]
    assert boxes("\\boxed{" + "1" * 600 + "}") == []


def pairs() -> list[list[str]]:
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def test_pairs_agree_with_math_verify_and_the_page_judges_every_difference() -> None:
    """The C tests hold the table to the program's grader; this holds it to another's."""
    pytest.importorskip("math_verify")
    judge = math_verify_judge("boxed")
    page = (ROOT / "docs/graders.md").read_text(encoding="utf-8")
    rows = pairs()
    different = [
        (gold, given, expected)
        for gold, given, expected, _ in rows
        if judge(gold, f"\\boxed{{{given}}}") != (expected == "right")
    ]
    assert len(rows) >= 300
    assert 1 - len(different) / len(rows) >= AGREEMENT, different
    judged = [line for line in page.splitlines() if line.startswith("| `")]
    for gold, given, expected in different:
        assert any(f"| `{gold}` | `{given}` | {expected} |" in line for line in judged), (gold, given)


def test_unknown_file_is_an_error(files: tuple[str, str]) -> None:
    with pytest.raises(RunError):
        from cola_analysis.decode import Tasks

        Tasks.open(files[0])
