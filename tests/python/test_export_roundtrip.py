"""From a real search to a published format and back: the chains of an export, imported and evaluated on every
sample by `cola cross`, get the verdicts that the search gave them."""

import json
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import pytest
from cola_analysis.export_cli import main as export
from cola_analysis.import_chains import main as import_chains
from conftest import DATA, File

N_ROWS, N_SIMULATIONS = 3, 8
Chain = tuple[int, ...]


def cola(program: Path, *arguments: str | Path) -> None:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def chains_of(file: h5py.File) -> list[Chain]:
    values, offsets = file["chains/layer_values"][()], file["chains/layer_offsets"][()].astype(int)
    return [tuple(values[a:b].tolist()) for a, b in pairwise(offsets)]


@pytest.fixture(params=["loglik", "letter", "generate"])
def searched(
    request: pytest.FixtureRequest, program: Path, model: Path, run: Callable[..., File]
) -> tuple[File, Path]:
    score = request.param
    options = ["--max-new-tokens", "3"] if score == "generate" else []
    file = run(DATA / "arc_easy.jsonl", "--limit", str(N_ROWS), *options, score=score)
    out = file.path.with_name("run.h5")
    cola(
        *(program, "search", file.path, "--model", model, "--out", out, "--quiet"),
        *("--simulations", str(N_SIMULATIONS)),
    )
    return file, out


def read_export(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["samples"]


@pytest.mark.parametrize("through", ["the import", "PoLar's file"])
def test_an_export_comes_back_with_the_same_verdicts(
    program: Path, model: Path, searched: tuple[File, Path], through: str
) -> None:
    file, run_path = searched
    folder = run_path.parent
    polar, lines, x = folder / "merged_mcts_samples.json", folder / "chains.jsonl", folder / "x.h5"
    assert export([str(run_path), "--format", "polar", "-o", str(polar)]) == 0
    cross = ("cross", "--tasks", file.path, "--model", model, "--out", x, "--quiet")
    if through == "the import":
        assert import_chains([str(polar), "--wrong", "--layers", "30", "-o", str(lines)]) == 0
        cola(program, *cross, "--chains", lines)
    else:
        cola(program, *cross, "--chains", polar, "--polar-invalid")
    with h5py.File(run_path) as run:
        first = run["samples/chain_offsets"][()].astype(int)
        found, reward = chains_of(run), run["chains/reward"][()]
        visited = [dict(zip(found[a:b], reward[a:b] == 1, strict=True)) for a, b in pairwise(first)]
    with h5py.File(x) as table:
        column = {chain: i for i, chain in enumerate(chains_of(table))}
        right = table["results/right"][()] == 1
    assert set(column) == {chain for one in visited for chain in one}  # the same chains, each once
    verdicts = [{chain: bool(right[i, column[chain]]) for chain in one} for i, one in enumerate(visited)]
    assert verdicts == visited
    assert any(any(one.values()) for one in visited) and any(not all(one.values()) for one in visited)
    for i, sample in enumerate(read_export(polar)):
        assert all(right[i, column[tuple(chain)]] for chain in sample["final_valid_transitions"])
        assert not any(right[i, column[tuple(chain)]] for chain in sample["final_invalid_transitions"])
