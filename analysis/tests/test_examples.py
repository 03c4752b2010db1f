"""Every script of examples/ on a small run: what it prints is what a hand count gives."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from synthetic import SHORT, SHORTER, Chain, File, Sample, base
from test_cross import write as write_table

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
TWICE = (0, 1, 1, 2, 3, 4, 5)
SKIP_4, REPEAT_1 = (1, 4, 1, 0), (2, 1, 1, 1)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(capsys: pytest.CaptureFixture[str], name: str, *arguments: Path | str) -> list[list[str]]:
    """The words of each line."""
    script(name).main([str(argument) for argument in arguments])
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def edits(*predictions: int) -> list[Chain]:
    """The base and two single edits of it with these predictions."""
    first, second, third = predictions
    return [base(first), Chain(SHORT, second, edit=SKIP_4), Chain(TWICE, third, edit=REPEAT_1)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Gold 0: two samples right at the base, of which one stays right when layer 4 is skipped; two wrong."""
    samples = [Sample(edits(*p)) for p in ((0, 0, 1), (0, 2, 0), (1, 0, 0), (2, 3, 0))]
    return File(samples, {"preset": "exhaustive"}).write(tmp_path / "run.h5")


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """The same chains asked for wrong answers that the bases do not give."""
    samples = [
        Sample(edits(*p), target=target)
        for p, target in (((0, 0, 1), 3), ((0, 2, 0), 3), ((1, 0, 0), 3), ((2, 3, 0), 3))
    ]
    return File(samples, {"preset": "exhaustive", "control": "wrong-answer"}).write(tmp_path / "control.h5")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_is_named_in_the_readme_and_helps(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"| {path.name} |" in (EXAMPLES / "README.md").read_text()
    with pytest.raises(SystemExit) as ended:
        script(path.stem).main(["--help"])
    assert ended.value.code == 0
    help_text = capsys.readouterr().out
    assert f"python {path.name}" in help_text


def test_does_search_beat_chance(run: Path, control: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "does_search_beat_chance", run, control)
    assert "2/2" in lines[0] and "1/2" in lines[1]
    assert lines[2][:2] == ["difference", "+0.500"]
    assert lines[3] == ["not", "distinguishable", "from", "chance"]


def test_which_block_may_be_skipped(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "which_block_may_be_skipped", run)[1][:3] == ["4", "0.500", "1/2"]
    assert printed(capsys, "which_block_may_be_skipped", run, "--kind", "repeat")[1][:3] == [
        "1",
        "0.500",
        "1/2",
    ]


def test_an_edit_that_not_every_sample_tried_is_no_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = File([Sample(edits(0, 0, 0)), Sample([base(0)])]).write(tmp_path / "run.h5")
    with pytest.raises(SystemExit):
        script("which_block_may_be_skipped").main([str(path)])
    assert "--preset exhaustive" in capsys.readouterr().err


def test_how_many_chains_cover(run: Path, control: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "how_many_chains_cover", run, control)
    assert lines[0] == ["4", "samples"]
    shares = {int(words[0]): float(words[1]) for words in lines[2:]}
    assert shares[3] == 1.0  # all three chains together solve all four samples
    assert all(words[4] in ("0.000", "0.250") for words in lines[2:])  # 3 is given by one sample's chain only


def test_how_many_chains_of_a_table_cover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]])
    lines = printed(capsys, "how_many_chains_cover", write_table(tmp_path / "x.h5", right, (SHORT, TWICE)))
    assert lines[0] == ["5", "samples"]
    assert [words[0] for words in lines[2:]] == ["1", "2"]
    assert lines[3][1] == "0.800"  # both chains together, whichever half chose them


def test_how_much_is_saved(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "how_much_is_saved", run)
    # of two right samples one takes 5 layers instead of 6; of four samples the same one
    assert lines[1][:7] == ["samples", "right", "at", "the", "base", "8.3", "%"]
    assert lines[2][:4] == ["all", "samples", "4.2", "%"]


def test_which_layers_are_left_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "which_layers_are_left_out", run)
    groups = [i for i, words in enumerate(lines) if words[-1] == "samples"]
    assert [lines[i][-2] for i in groups] == ["2", "2"]
    right, corrected = (lines[i + 2 : i + 8] for i in groups)
    # right: one takes SHORT, one the base; corrected: one SHORT, one TWICE
    assert [words[1] for words in right] == ["0.000"] * 4 + ["0.500", "0.000"]
    assert [words[1] for words in corrected] == ["0.000"] * 4 + ["0.500", "0.000"]
    assert [words[2] for words in corrected] == ["0.000", "0.500"] + ["0.000"] * 4


def test_how_soon_is_it_found(run: Path, control: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "how_soon_is_it_found", run, control)
    # evaluation 1 is the base's; the second corrects one of two, the third the other
    assert [words[:3] for words in lines[1:]] == [
        ["1", "0.000", "0/2"],
        ["2", "0.500", "1/2"],
        ["3", "1.000", "2/2"],
    ]
    assert [words[-1] for words in lines[1:]] == ["0.000", "0.250", "0.250"]


def test_does_it_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = [Sample([base(0), Chain(SHORT, 0)]), Sample([base(1), Chain(SHORTER, 0)])]
    asked = [Sample([base(0), Chain(SHORT, 2), Chain(SHORTER, 0)]) for _ in range(2)]
    run = File(found).write(tmp_path / "run.h5")
    other = File(asked, {"tasks_fingerprint": "xxh3:asked"}).write(tmp_path / "asked.h5")
    lines = [" ".join(words) for words in printed(capsys, "does_it_hold", run, other)]
    expected = [
        "shorter chain (C->C) found chain 0.000 0/1",
        "shorter chain (C->C) base chain 1.000 1/1",
        "corrected (W->C) found chain 1.000 1/1",
        "corrected (W->C) base chain 1.000 1/1",
    ]
    assert len(lines) == 5
    assert all(line.startswith(start) for line, start in zip(lines[1:], expected, strict=True)), lines
