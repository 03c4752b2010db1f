"""`cola plan`: its figures are those of the tasks and the model, its bytes those of a real run; what was not
measured is not claimed."""

import json
import math
import struct
import subprocess
from pathlib import Path
from typing import Any

import h5py
import pytest
from conftest import ROOT
from test_bench import N_SAMPLES, RULES, TINY, make_tasks

N_SIMULATIONS = 12


def cola(program: Path, *arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(program), *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == expect, done.stderr
    return done


def plan(program: Path, tasks: Path, *options: str) -> dict[str, Any]:
    page = json.loads(cola(program, "plan", tasks, "--model", TINY, "--json", *options).stdout)
    assert isinstance(page, dict)
    return page


@pytest.mark.parametrize("rule", RULES)
def test_bytes_are_those_of_a_search(program: Path, tmp_path: Path, rule: str) -> None:
    """The bytes of an evaluation, once its chain's and its answer's real lengths are in."""
    tasks, run = make_tasks(tmp_path / "tasks.h5", rule), tmp_path / "run.h5"
    options = ["--simulations", str(N_SIMULATIONS), "--preset", "random"]
    cola(program, "search", tasks, "--model", TINY, "--out", run, "--quiet", *options)
    page = plan(program, tasks, "--measure", "0", *options)
    with h5py.File(run) as file:
        columns = {
            f"{group}/{name}": data[()]
            for group in ("chains", "scores", "timing")
            for name, data in file[group].items()
            if name != "answer_values" and isinstance(data, h5py.Dataset)
        }
    n = len(columns["chains/parent"])
    most = page["work"]["evaluations_at_most"]
    assert n <= most == N_SAMPLES * N_SIMULATIONS
    longer = len(columns["chains/layer_values"]) / n - page["work"]["n_layers"]
    shorter = 4 - len(columns["scores/token_values"]) / n if rule == "generate" else 0
    each = page["disk"]["run_bytes"] / most + 2 * longer - 4 * shorter
    assert sum(data.nbytes for data in columns.values()) / n == pytest.approx(each, rel=0.02)
    journal = run.with_name("run.h5.journal").read_bytes()
    session = 12 + struct.unpack_from("<I", journal, 16)[0]
    finished = N_SAMPLES * (12 + 9 + 8)  # COMMITTED records are a few more
    each = page["disk"]["journal_bytes"] / most + 2 * 2 * longer - 4 * shorter
    assert (len(journal) - 16 - session - finished) / n == pytest.approx(each, rel=0.01)


def test_rows_and_flops_are_counted_from_the_files(program: Path, tmp_path: Path) -> None:
    """loglik: 12 .. 17 tokens of prompt and continuations of 1 .. 4 tokens, of which the last is no input."""
    page = plan(program, make_tasks(tmp_path / "tasks.h5", "loglik"), "--measure", "0", "--simulations", "10")
    config = json.loads((TINY / "config.json").read_text())
    d, f = config["hidden_size"], config["intermediate_size"]
    q = config["num_attention_heads"] * config.get("head_dim", d // config["num_attention_heads"])
    kv = q * config["num_key_value_heads"] // config["num_attention_heads"]
    work = page["work"]
    assert work["rows"] == pytest.approx(sum(12 + i for i in range(N_SAMPLES)) / N_SAMPLES + 0 + 1 + 2 + 3)
    assert work["head_rows"] == pytest.approx(1 + 0 + 1 + 2 + 3)
    assert work["row_layer_flops"] == pytest.approx(2 * (2 * d * q + 2 * d * kv + 3 * d * f))
    assert work["head_row_flops"] == pytest.approx(2 * d * config["vocab_size"])
    assert work["row_layers"] == pytest.approx(60 * work["rows"] * config["num_hidden_layers"])
    assert page["time"] is None
    assert page["workers"]["one_master"] is None
    assert not work["shared_is_measured"]


@pytest.mark.parametrize("rule", RULES)
def test_a_measurement_is_one(program: Path, tmp_path: Path, rule: str) -> None:
    """Hours follow from the speed; a plan with more simulations takes in proportion."""
    tasks = make_tasks(tmp_path / "tasks.h5", rule)
    page = plan(
        program, tasks, "--measure", "0.5", "--simulations", "200", "--threads", "1", "--speculate", "3"
    )
    work, time, workers = page["work"], page["time"], page["workers"]
    assert time["n_done"] > 0
    assert time["evaluations_per_s"] > 0
    assert time["worker_hours"] == pytest.approx(
        work["evaluations_at_most"] / time["evaluations_per_s"] / 3600
    )
    assert time["core_hours"] == pytest.approx(time["worker_hours"])
    assert 0 <= work["shared"] < 1
    assert workers["requests_at_most"] == 3 * N_SAMPLES
    assert workers["kept_full"] == pytest.approx(3 * N_SAMPLES / workers["credit"])
    assert workers["one_master"] == pytest.approx(1e6 / 12 / time["evaluations_per_s"])
    assert list(tmp_path.iterdir()) == [tasks]  # nothing was written


def test_text_names_what_is_assumed(program: Path, tmp_path: Path) -> None:
    tasks = make_tasks(tmp_path / "tasks.h5", "letter")
    text = cola(program, "plan", tasks, "--model", TINY, "--measure", "0").stdout
    assert "an assumption" in text
    assert "not measured" in text
    measured = cola(program, "plan", tasks, "--model", TINY, "--measure", "0.3", "--simulations", "50").stdout
    assert "12 us (an assumption" in measured


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--samples", "4:99"], "rows 4:99"), (["--out", "x.h5"], "--out"), (["--measure", "-1"], "measure")],
)
def test_wrong_options_are_refused(program: Path, tmp_path: Path, options: list[str], words: str) -> None:
    """Options of a running search are no options of a plan."""
    tasks = make_tasks(tmp_path / "tasks.h5", "letter")
    done = cola(program, "plan", tasks, "--model", TINY, *options, expect=2)
    assert words in done.stderr


def test_more_simulations_are_more_work(program: Path, tmp_path: Path) -> None:
    tasks = make_tasks(tmp_path / "tasks.h5", "letter")
    few = plan(program, tasks, "--measure", "0", "--simulations", "10")["work"]
    many = plan(program, tasks, "--measure", "0", "--simulations", "30")["work"]
    assert many["flops"] == pytest.approx(3 * few["flops"])
    outside = plan(program, tasks, "--measure", "0", "--simulations", "10", "--preset", "polar")["work"]
    assert outside["evaluations_at_most"] == few["evaluations_at_most"] + N_SAMPLES
    assert math.isclose(outside["rows"], few["rows"])
