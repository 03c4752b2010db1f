"""What a search costs is in run.h5: a row a process, a row a worker of a process, row_layers a chain; over a
resume and a merge, and as `cola show` and the analysis read it."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import ROOT
from test_bench import N_SAMPLES, TINY, make_tasks

sys.path.insert(0, str(ROOT / "analysis" / "src"))
from cola_analysis.read import Run

N_SIMULATIONS = 20
COUNTS = ("layers_asked", "layers_executed", "row_layers_asked", "row_layers_executed", "n_evaluations")


def cola(program: Path, *arguments: str | Path, expect: int = 0) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=100)
    assert done.returncode == expect, done.stderr
    return done.stdout


def search(program: Path, tasks: Path, run: Path, *options: str, expect: int = 0) -> None:
    line = ["search", str(tasks), "--model", str(TINY), "--out", str(run), "--quiet"]
    cola(program, *line, "--simulations", str(N_SIMULATIONS), *options, expect=expect)


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    return make_tasks(tmp_path / "tasks.h5", "letter")


def prompt_rows(tasks: Path) -> Any:
    """Rows of a sample's only pass: its prompt's tokens; under letter there are no continuations."""
    with h5py.File(tasks) as file:
        return np.diff(file["samples/prompt_offsets"][()].astype(np.int64))


def test_workers_figures_are_sums_over_the_chains(program: Path, tasks: Path, tmp_path: Path) -> None:
    """Without speculation each result is a chain: all counts can be had in another way."""
    path, before = tmp_path / "run.h5", time.time()
    search(program, tasks, path, "--state-memory", "64")
    with Run.open(path) as run:
        workers, sessions = run.timing_workers, run.timing_sessions
        chains = run.chains.frame(["sample", "length", "layers_asked", "layers_executed", "row_layers"])
        assert sessions["run"].tolist() == [run.attribute("run_id")]
    worker = {name: int(workers[name][0]) for name in COUNTS}
    rows = prompt_rows(tasks)[chains["sample"]]
    assert worker["n_evaluations"] == len(chains) == sessions["n_evaluations"][0]
    assert worker["layers_asked"] == chains["length"].sum() == chains["layers_asked"].sum()
    assert worker["layers_executed"] == chains["layers_executed"].sum()
    assert worker["row_layers_asked"] == (rows * chains["length"]).sum()
    assert worker["row_layers_executed"] == chains["row_layers"].sum()
    assert ((chains["row_layers"] > 0) == (chains["layers_executed"] > 0)).all()
    assert (chains["row_layers"] > 0).mean() > 0.9
    assert worker["row_layers_executed"] < worker["row_layers_asked"]  # states were shared
    assert 0 < workers["state_bytes"][0] < workers["memory_bytes"][0]
    assert 0 < workers["busy_s"][0] <= sessions["search_s"][0] + 0.1
    assert workers["utilisation"][0] == pytest.approx(workers["busy_s"][0] / sessions["search_s"][0])
    assert before - 1 < sessions["began"][0].timestamp() < time.time() + 1
    assert (sessions["shard"][0], sessions["number"][0], workers["rank"][0]) == (-1, 0, 1)


def test_generated_answers_take_a_pass_a_token(program: Path, tmp_path: Path) -> None:
    tasks, path = make_tasks(tmp_path / "tasks.h5", "generate"), tmp_path / "run.h5"
    search(program, tasks, path, "--state-memory", "0", "--simulations", "4")
    with Run.open(path) as run:
        workers = run.timing_workers
        chains = run.chains.frame(["sample", "length", "tokens", "row_layers"])
    passes = chains["tokens"].map(len).to_numpy()
    rows = prompt_rows(tasks)[chains["sample"]] + passes - 1
    assert passes.max() > 1
    assert workers["layers_asked"][0] == (passes * chains["length"]).sum()
    assert workers["row_layers_asked"][0] == (rows * chains["length"]).sum()
    assert workers["row_layers_executed"][0] == workers["row_layers_asked"][0]  # nothing is shared
    assert workers["state_bytes"][0] == 0


def test_resume_keeps_the_rows_and_the_page_shows_them(program: Path, tasks: Path, tmp_path: Path) -> None:
    path, whole = tmp_path / "run.h5", tmp_path / "whole.h5"
    search(program, tasks, whole)
    search(program, tasks, path, "--simulations", "8")
    first = json.loads(cola(program, "show", path, "--json"))["timing"]
    search(program, tasks, path, "--resume")
    path.with_name("run.h5.journal").unlink()
    search(program, tasks, path, "--resume")
    page = json.loads(cola(program, "show", path, "--json"))
    timing = page["timing"]
    assert timing["sessions"][0] == first["sessions"][0]
    assert timing["workers"][0] == first["workers"][0]
    assert [s["number"] for s in timing["sessions"]] == [0, 1, 2]
    assert [w["session"] for w in timing["workers"]] == [0, 1, 2]
    evaluated = [w["evaluations"] for w in timing["workers"]]
    assert sum(evaluated) == page["n_chains"]
    assert evaluated[1] > 0
    assert evaluated[2] == 0
    digests = {cola(program, "show", file, "--digest") for file in (path, whole)}
    assert len(digests) == 1
    text = cola(program, "show", path)
    assert "session 2: process 2 of its run" in text
    assert f"worker 1: busy {100 * timing['workers'][1]['utilisation']:.1f} %" in text
    assert "session 1" not in cola(program, "show", path, "--limit", "1")


def test_merge_has_the_rows_of_every_shard(program: Path, tasks: Path, tmp_path: Path) -> None:
    parts = [tmp_path / f"part{i}.h5" for i in range(2)]
    for i, part in enumerate(parts):
        search(program, tasks, part, "--shard", f"{i}/2")
    out = tmp_path / "merged.h5"
    cola(program, "merge", out, parts[1], parts[0])
    with Run.open(out) as run:
        workers, sessions = run.timing_workers, run.timing_sessions
        assert run.n_samples == N_SAMPLES
        n_chains = run.n_chains
    assert sessions["shard"].tolist() == workers["shard"].tolist() == [0, 1]
    assert sessions["run"].nunique() == 2
    assert workers["session"].tolist() == [0, 1]
    assert workers["n_evaluations"].sum() == n_chains
