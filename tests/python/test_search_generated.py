"""Generated answers from prepare.py through `cola search`: the base chain's tokens are those of `cola eval`,
and answers, rewards and predictions follow from the rows."""

import json
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import pytest
from conftest import DATA, File

N_ROWS, N_SIMULATIONS = 3, 3


def search(program: Path, model: Path, file: File, *options: str) -> dict[str, Any]:
    """Columns of run.h5, ragged ones as lists of rows."""
    out = file.path.with_name("run.h5")
    command = [program, "search", str(file.path), "--model", str(model), "--out", str(out)]
    command += ["--simulations", str(N_SIMULATIONS), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with h5py.File(out) as run:
        columns: dict[str, Any] = {
            name: run[name][()] for name in ("samples/target", "chains/reward", "chains/prediction")
        }
        columns["first"] = run["samples/chain_offsets"][()]
        for name in ("scores/token", "scores/answer", "texts/target"):
            values, offsets = run[f"{name}_values"][()], run[f"{name}_offsets"][()]
            columns[name] = [values[a:b] for a, b in pairwise(offsets)]
    return columns


def evaluate_base(program: Path, model: Path, file: File) -> list[list[int]]:
    """The base chain's tokens by `cola eval`."""
    n_layers = json.loads((model / "config.json").read_text())["num_hidden_layers"]
    settings = {
        "chain": f"0-{n_layers - 1}",
        "score": "generate",
        "max_new_tokens": int(file.attributes["max_new_tokens"]),
        "stop": file.attributes["stop_tokens"].tolist(),
    }
    requests = [settings | {"prompt": prompt.tolist()} for prompt in file.ragged("samples/prompt")]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [program, "eval", "--model", str(model), "-"],
        input=lines,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["tokens"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("gsm8k", ("--template", "short")),
        ("dart_math", ("--template", "short", "--max-new-tokens", "8")),
        ("arc_easy", ("--max-new-tokens", "3")),
    ],
)
def test_the_base_chain_generates_what_eval_does(
    run: Callable[..., File], program: Path, model: Path, task: str, options: tuple[str, ...]
) -> None:
    file = run(DATA / f"{task}.jsonl", "--limit", str(N_ROWS), *options, task=task, score="generate")
    found = search(program, model, file)
    base = [found["scores/token"][first].tolist() for first in found["first"][:-1]]
    assert len(base) == N_ROWS
    assert base == evaluate_base(program, model, file)


def test_a_number_is_right_if_it_is_the_rows(run: Callable[..., File], program: Path, model: Path) -> None:
    # chains answer row 4 with 20 or 25, and 20 is right; which chains are tried goes by the row's number
    options = ("--template", "short", "--limit", "5")
    file = run(DATA / "gsm8k.jsonl", *options, task="gsm8k", score="generate")
    found = search(program, model, file, "--simulations", "28", "--samples", "4:5")
    answers = [bytes(answer).decode() for answer in found["scores/answer"]]
    assert [bytes(target).decode() for target in found["texts/target"]] == ["20"]
    assert [reward == 1 for reward in found["chains/reward"]] == [answer == "20" for answer in answers]
    assert 0 < found["chains/reward"].sum() < len(answers)


def test_a_letter_predicts_the_candidate_at_its_place(
    run: Callable[..., File], program: Path, model: Path
) -> None:
    options = ("--limit", str(N_ROWS), "--reorder", "1", "--max-new-tokens", "3")
    file = run(DATA / "arc_easy.jsonl", *options, score="generate")
    found = search(program, model, file)
    assert found["samples/target"].tolist() == file.data["samples/gold"].tolist()
    answers = [bytes(answer).decode() for answer in found["scores/answer"]]
    predictions = [ord(answer) - ord("A") if answer else -1 for answer in answers]
    assert found["chains/prediction"].tolist() == predictions
    assert max(predictions) >= 0
