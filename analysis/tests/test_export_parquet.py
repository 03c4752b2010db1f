"""cola-export --format parquet: every column is that of run.h5, by pyarrow and h5py alone."""

from __future__ import annotations

import builtins
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import pytest
from synthetic import BASE, SHORT, SHORTER, Chain, File, Sample, base

from cola_analysis import export_parquet
from cola_analysis.export_cli import main

parquet = pytest.importorskip("pyarrow.parquet")
REAL = Path(__file__).parents[2] / "tests" / "data" / "runs" / "run-1.0.h5"


def table(path: Path) -> dict[str, list[Any]]:
    return parquet.read_table(path).to_pydict()


def export(*arguments: str | Path, status: int = 0) -> None:
    assert main([str(a) for a in arguments] + ["--format", "parquet"]) == status


def ragged(run: h5py.File, values: str, offsets: str) -> list[list[Any]]:
    data = run[values][()]
    return [data[a:b].tolist() for a, b in pairwise(run[offsets][()].astype(int))]


@pytest.mark.parametrize("block", [1, 100_000])
def test_every_column_of_a_real_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(export_parquet, "BLOCK_CHAINS", block)
    export(REAL, "-o", tmp_path / "out")
    chains = table(tmp_path / "out" / "chains.parquet")
    with h5py.File(REAL) as run:
        assert chains["layers"] == ragged(run, "chains/layer_values", "chains/layer_offsets")
        assert chains["scores"] == ragged(run, "scores/values", "scores/offsets")
        names = [name for name in run["chains"] if not name.startswith("layer_")]
        assert len(names) == 13
        for name in names:
            assert chains[name] == run["chains"][name][()].tolist(), name
        for name in ("timing/seconds", "timing/layers_asked", "timing/layers_executed", "scores/argmax"):
            assert chains[name.split("/")[1]] == run[name][()].tolist(), name
        first = run["samples/chain_offsets"][()].tolist()
        assert chains["sample"] == [i for i, (a, b) in enumerate(pairwise(first)) for _ in range(a, b)]
        assert chains["chain"] == [c - a for a, b in pairwise(first) for c in range(a, b)]
        samples = table(tmp_path / "out" / "samples.parquet")
        assert samples["gold"] == run["samples/gold"][()].tolist()
        texts = [
            bytes(row).decode() for row in ragged(run, "texts/question_values", "texts/question_offsets")
        ]
        assert samples["question"] == texts
        attributes = table(tmp_path / "out" / "runs.parquet")
        values = dict(zip(attributes["name"], attributes["value"], strict=True))
        assert values["content_digest"] == run.attrs["content_digest"]
        roles = dict(zip(attributes["name"], attributes["role"], strict=True))
        assert (roles["seed"], roles["n_simulations"], roles["host"]) == ("identity", "grows", "provenance")


@pytest.mark.parametrize("block", [1, 100_000])
def test_several_runs_and_a_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(export_parquet, "BLOCK_CHAINS", block)
    ours = [Sample([base(0), Chain(SHORT, 0), Chain(SHORTER, 0)]), Sample([base(1), Chain(SHORT, 1)])]
    theirs = [Sample([base(1), Chain(SHORT, 0)], finished=False), Sample([base(0), Chain(SHORT, 2)])]
    a = File(ours).write(tmp_path / "a.h5")
    b = File(theirs, {"seed": "1"}).write(tmp_path / "b.h5")
    export(a, b, "-o", tmp_path / "all")
    everything = table(tmp_path / "all" / "chains.parquet")
    assert list(zip(everything["run"], everything["sample"], strict=True)) == (
        [(0, 0)] * 3 + [(0, 1)] * 2 + [(1, 0)] * 2 + [(1, 1)] * 2
    )
    export(a, b, "--top", "1", "--samples", "solved", "-o", tmp_path / "top")
    chosen = table(tmp_path / "top" / "chains.parquet")
    rows = zip(*(chosen[name] for name in ("run", "sample", "chain", "layers")), strict=True)
    assert list(rows) == [(0, 0, 2, list(SHORTER)), (1, 1, 0, list(BASE))]
    samples = table(tmp_path / "top" / "samples.parquet")
    assert list(zip(samples["run"], samples["id"], strict=True)) == [(0, "q0"), (1, "q1")]


def test_controls_and_empty_runs_are_copied(tmp_path: Path) -> None:
    wrong = [Sample([base(1)], target=1)]
    control = File(wrong, {"control": "wrong-answer"}).write(tmp_path / "c.h5")
    empty = File([Sample([], finished=False)]).write(tmp_path / "e.h5")
    export(empty, control, "-o", tmp_path / "out")
    assert table(tmp_path / "out" / "chains.parquet")["run"] == [1]
    assert table(tmp_path / "out" / "samples.parquet")["target"] == [0, 1]
    export(empty, "-o", tmp_path / "alone")
    assert table(tmp_path / "alone" / "chains.parquet")["layers"] == []


def test_without_pyarrow_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    export(REAL, "-o", tmp_path / "out", status=1)
    assert "pip install 'cola-analysis[parquet]'" in capsys.readouterr().err
