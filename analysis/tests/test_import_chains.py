"""cola-import-chains: all shapes of the formats, what is refused, exports that come back as they were."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import random_runs
from export_readers import read_run
from synthetic import File

from cola_analysis import json_stream
from cola_analysis.export_cli import main as export
from cola_analysis.import_chains import main

SAMPLES = [
    {"question": "a", "final_valid_transitions": [[0, 1, 2], [0, 2]], "final_invalid_transitions": [[1]]},
    {"question": "b", "final_valid_transitions": [[0, 2], [0, 2]], "final_invalid_transitions": [[0, 1, 2]]},
    {"question": "c", "final_valid_transitions": [[0, 1, 1, 2]]},
]
RANKED = [("0,2", 2, 0), ("0-2", 1, 0), ("0,(1)x2,2", 1, 0)]
RANKED_WITH_WRONG = [("0,2", 2, 0), ("0-2", 1, 1), ("0,(1)x2,2", 1, 0), ("1", 0, 1)]
SHAPES = [
    {"samples": SAMPLES},
    {"metadata": {"samples": [1]}, "samples": SAMPLES},
    SAMPLES,
    {str(i): sample for i, sample in enumerate(SAMPLES)},
]


def imported(tmp_path: Path, *arguments: str | Path) -> list[tuple[str, int, int]]:
    out = tmp_path / "chains.jsonl"
    assert main([*map(str, arguments), "-o", str(out), "--force"]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return [(line["chain"], line["n_right"], line["n_wrong"]) for line in lines]


def written(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "merged_mcts_samples.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))
    return path


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_every_shape_gives_the_same_chains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: Any, piece: int
) -> None:
    monkeypatch.setattr(json_stream, "PIECE_CHARACTERS", piece)
    path = written(tmp_path, shape)
    assert imported(tmp_path, path) == RANKED
    assert imported(tmp_path, path, "--wrong") == RANKED_WITH_WRONG
    assert imported(tmp_path, path, "--top", "1") == RANKED[:1]
    assert imported(tmp_path, path, path)[0] == ("0,2", 4, 0)


def test_drllm_gives_its_good_paths_or_the_best(tmp_path: Path) -> None:
    lists = {"best_path": [[0, 2], [1]], "good_paths": [[[0, 2], [0, 1]], [[1]]], "questions": ["a", "b"]}
    assert [line[0] for line in imported(tmp_path, written(tmp_path, lists))] == ["1", "0-1", "0,2"]
    del lists["good_paths"]
    assert [line[0] for line in imported(tmp_path, written(tmp_path, lists))] == ["1", "0,2"]


@pytest.mark.parametrize("form", ["polar", "drllm"])
def test_an_export_comes_back_as_it_was(tmp_path: Path, form: str) -> None:
    rng = random.Random(5)
    path = File([random_runs.sample(rng, 0) for _ in range(40)]).write(tmp_path / "run.h5")
    options = ["--no-routable"] if form == "drllm" else []
    assert export([str(path), "--format", form, *options, "-o", str(tmp_path / "out.json")]) == 0
    expected: dict[tuple[int, ...], int] = {}
    for sample in read_run(path).values():
        for chain in sample.right:
            expected[chain] = expected.get(chain, 0) + 1
    from cola_analysis.chain_text import parse_chain

    found = {parse_chain(text): n for text, n, _ in imported(tmp_path, tmp_path / "out.json")}
    assert found == expected and len(expected) > 20


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"samples": [{"final_valid_transitions": [[0, 1', "at character"),
        ('{"samples": [{"final_valid_transitions": [[0, 3]]}]}', "3 is no layer (0 .. 2)"),
        ('{"samples": [{"final_valid_transitions": [[0, true]]}]}', "True is no layer"),
        ('{"samples": [{"final_valid_transitions": [[]]}]}', "sample 0, final_valid_transitions, chain 0"),
        ('{"samples": [{"final_valid_transitions": 3}]}', "expected a list of chains"),
        ('{"samples": [{"question": "x"}]}', "sample 0 has no final_valid_transitions"),
        ('{"samples": []}', "neither samples"),
        ('{"best_path": [[0, 9]]}', "9 is no layer"),
        ('{"samples": []} {', "more text behind the end"),
        ("[1, 2", "sample 0 has no final_valid_transitions"),
        ("3", "expected { or ["),
        ("", "in the middle"),
        ('{"samples": [NaN]}', "NaN is no JSON"),
    ],
)
def test_what_is_not_of_these_formats_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], document: str, message: str
) -> None:
    path, out = written(tmp_path, document), tmp_path / "chains.jsonl"
    assert main([str(path), "--layers", "3", "-o", str(out)]) == 1
    error = capsys.readouterr().err
    assert message in error and str(path) in error
    assert not out.exists()


def test_a_document_is_read_member_by_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "PIECE_CHARACTERS", 4)
    document = {"a": [1, {"b": ']}\\"'}], "samples": [12345678901, -1.5e3, "x", None], "c": {}}
    path = written(tmp_path, json.dumps(document, indent=2))
    found = list(json_stream.members(path, ("samples",)))
    entries = [(None, value) for value in document["samples"]]
    assert found == [("a", document["a"]), *entries, ("c", {})]
