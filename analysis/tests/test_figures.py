"""The files of `cola-findings --out`: every table and figure, and text that says what they show."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pandas as pd
import pytest
from random_runs import pair
from synthetic import CrossFile, File, Sample, base

from cola_analysis import figures
from cola_analysis.cli import main
from cola_analysis.collect import MAKERS
from cola_analysis.write import TITLES, markdown

CONTROL = {"control": "wrong-answer"}
RUN, REACHED = pair(31, 60)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("figures")
    files: dict[str, list[str]] = {"run": [], "--control": []}
    for space in ("skip", "both"):
        for preset in ("cola", "exhaustive"):
            seen = {"space": space, "preset": preset, "model_dir": "models/Tiny|A<b>"}
            files["run"].append(str(File(RUN, seen).write(root / f"{space}-{preset}.h5")))
            control = File(REACHED, seen | CONTROL).write(root / f"{space}-{preset}-control.h5")
            files["--control"].append(str(control))
    table = str(found_chains().write(root / "x.h5"))
    arguments = [*files["run"], "--control", *files["--control"], "--robustness", files["run"][0], table]
    assert main([*arguments, "--cross", files["run"][0], table, "--out", str(root / "out")]) == 0
    return root / "out"


def found_chains() -> CrossFile:
    """Every chain of the run on every sample."""
    rng = random.Random(7)
    chains = sorted({chain.layers for sample in RUN for chain in sample.chains})
    return CrossFile(chains, [rng.choices(range(4), (3, 2, 2, 1), k=len(chains)) for _ in RUN])


def test_every_table_and_figure_is_written(out: Path) -> None:
    names = {*MAKERS, "compute_saved", "edit_map", "coverage", "candidates", "robustness", "other_samples"}
    assert names == set(TITLES)
    for name in names:
        frame = pd.read_csv(out / "tables" / f"{name}.csv")
        assert len(frame) > 0, name
        assert (out / "tables" / f"{name}.md").read_text().startswith(f"# {TITLES[name]}\n\n| model")
    assert {p.stem for p in (out / "figures").iterdir()} == set(figures.FIGURES)


def test_figures_are_svg_with_their_words_as_text(out: Path) -> None:
    for path in (out / "figures").iterdir():
        root = ElementTree.parse(path).getroot()
        words = " ".join(
            text for node in root.iter() if node.tag.endswith("text") for text in node.itertext()
        )
        assert "Tiny|A<b>" in words, path.name
        if path.stem != "edit_map":
            assert "control" in words, path.name


def test_shares_stand_beside_denominator_interval_and_control(out: Path) -> None:
    for path in (out / "tables").glob("*.csv"):
        with open(path, newline="") as file:
            columns = next(csv.reader(file))
        for value in ("share", "mean", "saved"):
            if value in columns:
                assert {"n", "low", "high", f"control_{value}", "control_n", "control_low"} <= set(columns)


def test_the_text_names_files_and_concludes(out: Path) -> None:
    text = (out / "findings.md").read_text()
    assert "What is" not in text and "## Provenance" in text
    assert text.count("Verdict: ") == 4
    assert "adjusted for 4 comparisons by Holm's method" in text
    assert "Tiny\\|A<b>" in text  # a bar in a name does not end its cell
    assert "![Figure 4: transitions](figures/transitions.svg)" in text


def test_equal_files_give_equal_files(tmp_path: Path) -> None:
    run = str(File(RUN[:20]).write(tmp_path / "run.h5"))
    written = []
    for name in ("a", "b"):
        code = f"from cola_analysis.cli import main; main([{run!r}, '--out', {str(tmp_path / name)!r}])"
        environment = {**os.environ, "PYTHONHASHSEED": name.replace("a", "1").replace("b", "2")}
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)
        paths = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        written.append({p.relative_to(tmp_path / name): p.read_bytes() for p in paths})
    assert written[0] == written[1] and len(written[0]) > 30


def test_a_run_without_control_or_right_chains_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(File([Sample([base(2)]), Sample([base(3)])]).write(tmp_path / "run.h5"))
    assert main([path, "--out", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert any("No control was given" in p for p in told["together"])
    assert str(tmp_path / "out" / "findings.md") in told["written"]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(File(RUN[:5]).write(tmp_path / "run.h5"))
    assert main([path, "--out", path]) == 1
    assert "cannot write the findings" in capsys.readouterr().err


def test_markdown_has_one_cell_for_a_share() -> None:
    frame = pd.DataFrame([{"a": "x|y", "share": 0.5, "hits": 1, "n": 2, "low": 0.1, "high": 0.9}])
    assert markdown(frame).splitlines() == [
        "| a | share |",
        "| --- | --- |",
        "| x\\|y | 50.0 % [10.0, 90.0] 1/2 |",
    ]
