"""The whole way from rows to scores against lm-evaluation-harness 0.4.13 (float32, SmolLM2): 200 rows of ARC
go through prepare.py and the base chain of `cola eval`. Every log-probability sum, acc and acc_norm."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DATA, ROOT, File

# two float32 implementations differ by their order of summing; a wrong token moves a sum by more than 0.1
TOLERANCE = 5e-3


def evaluate(program: Path, model: Path, file: File) -> list[list[float]]:
    """Sums of the log-probabilities of every candidate of every sample, by the base chain."""
    n_layers = json.loads((model / "config.json").read_text())["num_hidden_layers"]
    prompts = [prompt.tolist() for prompt in file.ragged("samples/prompt")]
    requests = [
        {
            "id": row_id,
            "chain": f"0-{n_layers - 1}",
            "prompt": prompt,
            "score": "loglik",
            "continuations": continuations,
        }
        for row_id, prompt, continuations in zip(
            file.texts("samples/id"), prompts, file.candidate_tokens(), strict=True
        )
    ]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [program, "eval", "--model", str(model), "-"],
        input=lines,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["id"] for result in results] == [request["id"] for request in requests]
    return [result["logprob"] for result in results]


@pytest.mark.parametrize("task", ["arc_easy", "arc_challenge"])
def test_scores_are_those_of_lm_evaluation_harness(
    run: Callable[..., File],
    program: Path,
    model: Path,
    task: str,
    record_property: Callable[[str, Any], None],
) -> None:
    golden = json.loads((ROOT / "tests/data/lm-eval" / f"{task}.json").read_text())
    rows = golden["rows"]
    assert len(rows) == 100
    file = run(DATA / f"{task}.jsonl", "--limit", str(len(rows)), task=task)
    assert file.texts("samples/id") == [row["id"] for row in rows]
    sums = evaluate(program, model, file)
    n_bytes = file.per_sample(file.data["candidates/n_bytes"].tolist())
    differences, acc, acc_norm = [], [], []
    for row, found, lengths, gold in zip(rows, sums, n_bytes, file.data["samples/gold"], strict=True):
        assert len(found) == len(row["logprob"]), row["id"]
        differences.append(np.abs(np.array(found) - row["logprob"]).max())
        acc.append(float(np.argmax(found) == gold))
        acc_norm.append(float(np.argmax(np.array(found) / lengths) == gold))
    largest = float(np.max(differences))
    record_property("largest_difference", largest)
    print(f"{task}: largest difference of a sum {largest:.2e}")
    assert largest <= TOLERANCE, rows[int(np.argmax(differences))]["id"]
    assert acc == [row["acc"] for row in rows]
    assert acc_norm == [row["acc_norm"] for row in rows]
    assert (np.mean(acc), np.mean(acc_norm)) == (golden["acc"], golden["acc_norm"])


def test_a_program_reads_what_prepare_writes(run: Callable[..., File], program: Path) -> None:
    for task, score, options in [
        ("arc_easy", "loglik", ()),
        ("arc_easy", "letter", ("--reorder", "2")),
        ("arc_challenge", "generate", ("--reorder", "3")),
        ("dart_math", "generate", ()),
        ("gsm8k", "generate", ("--template", "short")),
    ]:
        file = run(DATA / f"{task}.jsonl", *options, task=task, score=score)
        command = [program, "info", str(file.path)]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert shown.returncode == 0, shown.stderr
        assert task in shown.stdout
        assert score in shown.stdout
