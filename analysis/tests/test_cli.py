"""The command: exit status, words on stdout and stderr, JSON and the figure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import LONG, SHORT, SHORTER, Chain, File, Sample, base

import cola_analysis
from cola_analysis.cli import main

CONTROL = {"control": "wrong-answer"}


def samples(target: int | None) -> list[Sample]:
    """20 samples, gold 0: 8 right at the base, 12 wrong. The run corrects 6, the control (1) reaches 9."""
    made = [Sample([base(0), Chain(SHORT, 0), Chain(SHORTER, 2)], target=target) for _ in range(8)]
    for i in range(12):
        chains = [base(2), Chain(LONG, 0 if i < 6 else 3), Chain(SHORT, 1 if i < 9 else 3)]
        made.append(Sample(chains, target=target))
    return made


@pytest.fixture
def run(tmp_path: Path) -> str:
    return str(File(samples(None)).write(tmp_path / "run.h5"))


@pytest.fixture
def control(tmp_path: Path) -> str:
    return str(File(samples(1), CONTROL).write(tmp_path / "control.h5"))


def rows(out: str) -> dict[str, list[str]]:
    """The table by its labels: cells are apart by two blanks or more."""
    lines = [
        line.strip() for line in out.split("What may be concluded")[0].splitlines() if "  " in line.strip()
    ]
    cells = [[c.strip() for c in line.split("  ") if c.strip()] for line in lines]
    return {c[0]: c[1:] for c in cells}


def test_run_and_control_stand_side_by_side(
    run: str, control: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([run, "--control", control]) == 0
    out = capsys.readouterr().out
    table = rows(out)
    assert table["samples finished / in file"] == ["20 / 20", "20 / 20"]
    assert table["chains evaluated"] == ["60", "60"]
    assert table["simulations"] == ["4000", "4000"]
    assert table["base chain gives the target"] == ["40.0 % 8/20 [21.9, 61.3]", "0.0 % 0/20 [0.0, 16.1]"]
    claim_1 = table["claim 1: a shorter chain, of right at base"]
    assert claim_1 == ["100.0 % 8/8 [67.6, 100.0]", "- (no such sample)", "> 75 %"]
    claim_2 = table["claim 2: corrected, of wrong at base"]
    assert claim_2 == ["50.0 % 6/12 [25.4, 74.6]", "45.0 % 9/20 [25.8, 65.8]", "> 60 %"]
    assert table["some chain gives the target, of all"][0] == "70.0 % 14/20 [48.1, 85.5]"
    assert table["mean evaluations to the first right (W->C)"] == ["2.00, n = 6", "3.00, n = 9"]
    assert "claimed in arXiv 2507.07996 for other models and tasks" in out
    assert "not measured here" in out
    assert "On the 12 samples whose base chain gives neither" in out.replace("\n  ", " ")
    assert max(map(len, out.replace(run, "").replace(control, "").splitlines())) <= 110


def test_without_control_the_table_has_one_column_and_nothing_is_concluded(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([run]) == 0
    out = capsys.readouterr().out
    assert rows(out)["chains evaluated"] == ["60"]
    assert "Without a control nothing may be concluded about correction" in out.replace("\n  ", " ")


@pytest.mark.parametrize("key", ["model_fingerprint", "n_simulations", "seed"])
def test_mismatch_is_refused_and_forced(
    tmp_path: Path, run: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(File(samples(1), CONTROL | {key: "other"}).write(tmp_path / "other.h5"))
    assert main([run, "--control", other]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{key}: run has " in captured.err and "control has other" in captured.err
    assert main([run, "--control", other, "--force"]) == 0
    assert (
        f"Warning: run and control do not belong together: {key}: run has "
        in capsys.readouterr().out.replace("\n", " ")
    )


def test_control_with_gold_and_target_swapped_throughout_is_noticed(
    tmp_path: Path, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped = [replace(s, gold=1, target=0) for s in samples(None)]
    path = str(File(swapped, CONTROL).write(tmp_path / "swapped.h5"))  # agrees with itself
    assert main([run, "--control", path]) == 1
    assert "gold of sample q0 (tasks row 0): run has 0, control has 1" in capsys.readouterr().err


def test_control_of_another_model_shows_in_its_base_predictions(
    tmp_path: Path, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = samples(1)
    other[3] = Sample([base(3), *other[3].chains[1:]], target=1)
    path = str(File(other, CONTROL).write(tmp_path / "other.h5"))
    assert main([run, "--control", path]) == 1
    assert "base_prediction of sample q3 (tasks row 3): run has 0, control has 3" in capsys.readouterr().err


def test_control_given_as_run_is_refused(control: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([control]) == 1
    assert "is itself a control" in capsys.readouterr().err
    assert main([control, "--force"]) == 0
    assert "read `right` below as `the drawn wrong answer`" in capsys.readouterr().out.replace("\n", " ")


def test_unfinished_samples_are_left_out_and_said(
    tmp_path: Path, control: str, capsys: pytest.CaptureFixture[str]
) -> None:
    some = samples(None)
    some[0] = replace(some[0], finished=False)
    path = str(File(some).write(tmp_path / "part.h5"))
    assert main([path, "--control", control]) == 0
    out = capsys.readouterr().out
    assert rows(out)["samples finished / in file"] == ["19 / 20", "20 / 20"]
    assert "Warning: run: 1 of 20 samples are unfinished and left out" in out
    assert "run counts 19 samples, control 20, both only 19" in out


def test_nan_scores_are_counted_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(File([*samples(None), Sample([base(None), Chain(SHORT, None)])]).write(tmp_path / "nan.h5"))
    assert main([path]) == 0
    out = capsys.readouterr().out
    assert rows(out)["without finite scores, count as not right"] == ["2"]
    assert "Warning: run: base chains without finite scores, which count as not right: 1" in out


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([], "no samples"),
        ([Sample([base(0)], finished=False)], "none of the 1 samples in the file is finished"),
    ],
)
def test_nothing_to_report_ends_with_status_1(
    tmp_path: Path, made: list[Sample], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(File(made).write(tmp_path / "empty.h5"))
    assert main([path]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and words in captured.err and path in captured.err


def test_file_cut_short_ends_with_status_1(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = Path(run).read_bytes()
    Path(run).write_bytes(data[: len(data) // 2])
    assert main([run]) == 1
    assert "cut short" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["a", "b", "--figure", "out.png"], ["--no-such"], ["run.h5", "--figure", "out.pdf"]]
)
def test_wrong_usage_ends_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


def test_help_documents_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for word in ("RUN.h5", "--control", "--figure", "--json", "--force", "--version", "exit status"):
        assert word in out


def test_json_holds_the_numbers_of_the_table(
    run: str, control: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([run, "--control", control, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["run"]["corrected"]["hits"] == 6
    assert report["run"]["corrected"]["share"] == 0.5
    assert report["control"]["shorter_chain"] == {"hits": 0, "n": 0, "share": None, "low": None, "high": None}
    assert report["comparison"]["corrected"]["difference"] == pytest.approx(6 / 12 - 9 / 20)
    same = report["comparison"]["corrected_same_samples"]
    assert (same["both"], same["only_run"], same["only_control"], same["neither"]) == (6, 0, 3, 3)
    assert same["verdict"] == "unclear"
    assert report["paper"]["corrected_above"] == 0.6
    assert any("Verdict" in paragraph for paragraph in report["conclusion"])


@pytest.mark.parametrize("with_control", [True, False])
def test_figure_is_a_png_with_something_on_it(
    tmp_path: Path, run: str, control: str, with_control: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figure.png"
    assert main([run, "--figure", str(out), *(["--control", control] if with_control else [])]) == 0
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    from matplotlib.image import imread

    pixels = imread(out)
    assert pixels.shape[0] > 500 and pixels.shape[1] > 1000
    vermilion = (abs(pixels[..., :3] * 255 - (0xD5, 0x5E, 0x00)) < 3).all(axis=2).any()
    assert vermilion == with_control


def test_figure_without_any_right_sample_is_drawn(tmp_path: Path) -> None:
    path = str(File([Sample([base(1), Chain(SHORT, 2)])]).write(tmp_path / "none.h5"))
    assert main([path, "--figure", str(tmp_path / "f.png")]) == 0


def test_figure_that_cannot_be_written_ends_with_status_1(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([run, "--figure", str(Path(run) / "no" / "f.png")]) == 1
    assert "cannot write the figure" in capsys.readouterr().err


def test_module_runs_as_a_program(run: str) -> None:
    source = str(Path(cola_analysis.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "cola_analysis.cli", run],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert done.returncode == 0 and "What may be concluded" in done.stdout
