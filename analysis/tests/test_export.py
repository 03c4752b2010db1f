"""cola-export for PoLar and Dr.LLM against readers written from the formats' description."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import random_runs
from export_readers import Labels, read_drllm, read_polar, read_run
from make_large_run import write as write_large
from synthetic import BASE, LONG, SHORT, SHORTER, Chain, File, L, Sample, base

from cola_analysis import export_source
from cola_analysis.export_choose import Choice, Visited, is_routable
from cola_analysis.export_cli import main

REAL = Path(__file__).parents[2] / "tests" / "data" / "runs" / "run-1.0.h5"
SWAPPED = (0, 2, 1, 3, 4, 5)
TWICE = (0, 1, 1, 2, 3, 4, 5)


def export(*arguments: str | Path, status: int = 0) -> None:
    assert main([str(argument) for argument in arguments]) == status


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Four samples: right and shortened, corrected, hopeless, unfinished."""
    samples = [
        Sample([base(0), Chain(SHORT, 0), Chain(SHORTER, 1), Chain(TWICE, 0)]),
        Sample([base(1), Chain(LONG, 0), Chain(SWAPPED, 0), Chain(SHORT, None), Chain(TWICE, 0, outcome=0)]),
        Sample([base(2), Chain(SHORT, 3)]),
        Sample([base(0)], finished=False),
    ]
    return File(samples, ids=["kept", "fixed", "lost", "later"]).write(tmp_path / "run.h5")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("block", [1, 20, 50_000])
def test_polar_has_the_chains_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, block: int
) -> None:
    monkeypatch.setattr(export_source, "BLOCK_CHAINS", block)
    rng = random.Random(seed)
    samples = [random_runs.sample(rng, 0) for _ in range(30)]
    path = File(samples).write(tmp_path / "run.h5")
    export(path, "--format", "polar", "-o", tmp_path / "out.json")
    assert read_polar(tmp_path / "out.json", L) == read_run(path)


def test_polar_of_a_real_run(tmp_path: Path) -> None:
    export(REAL, "--format", "polar", "-o", tmp_path / "out.json")
    found = read_polar(tmp_path / "out.json", 6)
    assert found == read_run(REAL)
    assert len(found) == 2 and all(len(one.right | one.wrong) == 6 for one in found.values())


def test_drllm_labels_the_shortest_routable_chain(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(run, "--format", "drllm", "--model-name", "a/b", "-o", tmp_path / "new" / "out.json")
    names, samples, labels = read_drllm(tmp_path / "new" / "out.json", L)
    assert (names["model_name"], names["dataset"]) == ("a/b", "arc_easy")
    kept, fixed = read_run(run)["kept"], read_run(run)["fixed"]
    assert samples == [
        Labels(kept.question, "A", True, {BASE, SHORT, TWICE}, best=SHORT),
        Labels(fixed.question, "A", False, {TWICE}, best=TWICE),
    ]
    assert labels == [[1, 1, 1, 1, 0, 1], [1, 2, 1, 1, 1, 1]]
    captured = capsys.readouterr()
    assert "2 samples, 4 right chains; left out: 1 samples, 2 right chains" in captured.out
    assert "1 samples unfinished" in captured.err


def test_drllm_of_every_sample_labels_the_hopeless_with_the_base(run: Path, tmp_path: Path) -> None:
    export(
        *(run, "--format", "drllm", "--samples", "all", "--no-routable", "--top", "1"),
        *("--plain-question", "-o", tmp_path / "out.json"),
    )
    _, samples, _ = read_drllm(tmp_path / "out.json", L)
    assert [one.best for one in samples] == [SHORT, SWAPPED, BASE]
    assert [one.right for one in samples] == [{SHORT}, {SWAPPED}, set()]
    assert [one.question for one in samples] == ["?"] * 3


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--samples", "solved"], {"kept": {BASE, SHORT, TWICE}, "fixed": {LONG, SWAPPED, TWICE}}),
        (["--samples", "corrected"], {"fixed": {LONG, SWAPPED, TWICE}}),
        (["--shorter", "--samples", "solved"], {"kept": {SHORT}}),
        (["--shorter"], {"kept": {SHORT}, "fixed": set(), "lost": set()}),
        (["--top", "2", "--samples", "solved"], {"kept": {SHORT, BASE}, "fixed": {SWAPPED, TWICE}}),
        (["--routable", "--samples", "corrected"], {"fixed": {TWICE}}),
    ],
)
def test_options_choose_samples_and_chains(
    run: Path, tmp_path: Path, options: list[str], expected: dict[str, set[tuple[int, ...]]]
) -> None:
    export(run, "--format", "polar", *options, "-o", tmp_path / "out.json")
    found = read_polar(tmp_path / "out.json", L)
    assert {name: one.right for name, one in found.items()} == expected
    assert {name: one.wrong for name, one in found.items()} == {
        name: read_run(run)[name].wrong for name in expected
    }


def test_wrong_chains_can_be_left_out(run: Path, tmp_path: Path) -> None:
    export(run, "--format", "polar", "--no-wrong", "-o", tmp_path / "out.json")
    assert all(not one.wrong for one in read_polar(tmp_path / "out.json", L).values())


def test_the_shortest_first_then_fewest_different_layers() -> None:
    chains = [Visited(c, True) for c in (BASE, (0, 1, 2, 3, 4), (0, 1, 1, 1, 5), (0, 1, 2, 3, 5))]
    assert [c.layers for c in Choice(top=3).chains(chains)[0]] == [
        (0, 1, 1, 1, 5),
        (0, 1, 2, 3, 4),
        (0, 1, 2, 3, 5),
    ]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [((0, 2, 2, 5), True), ((1,), True), ((0, 0, 0, 1), False), ((0, 1, 0, 1), False), ((1, 0), False)],
)
def test_routable_is_in_order_and_at_most_twice(layers: tuple[int, ...], expected: bool) -> None:
    assert is_routable(layers) is expected


def test_a_chain_set_aside_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    samples = [Sample([base(1), Chain(SHORT, None, outcome=2), Chain(LONG, None)])]
    path = File(samples).write(tmp_path / "run.h5")
    export(path, "--format", "polar", "-o", tmp_path / "out.json")
    (one,) = read_polar(tmp_path / "out.json", L).values()
    assert (one.right, one.wrong) == (set(), {BASE, LONG})


def test_runs_over_the_same_tasks_are_united(tmp_path: Path) -> None:
    ours = [Sample([base(1), Chain(SHORT, 0)]), Sample([base(0)], finished=False)]
    theirs = [Sample([base(1), Chain(LONG, 0), Chain(SHORT, 0)]), Sample([base(0), Chain(SHORT, 2)])]
    a = File(ours, {"space": "skip"}).write(tmp_path / "a.h5")
    b = File(theirs, {"space": "repeat"}).write(tmp_path / "b.h5")
    export(a, b, "--format", "polar", "-o", tmp_path / "out.json")
    found = read_polar(tmp_path / "out.json", L)
    assert {name: (one.right, one.wrong) for name, one in found.items()} == {
        "q0": ({SHORT, LONG}, {BASE}),
        "q1": ({BASE}, {SHORT}),
    }


def test_runs_that_contradict_each_other_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = File([Sample([base(1), Chain(SHORT, 0)])]).write(tmp_path / "a.h5")
    b = File([Sample([base(1), Chain(SHORT, 2)])]).write(tmp_path / "b.h5")
    export(a, b, "--format", "polar", "-o", tmp_path / "out.json", status=1)
    assert "right for 'q0' in one of these runs and wrong in another" in capsys.readouterr().err
    assert list(tmp_path.glob("*out*")) == [] and list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"control": "wrong-answer"}, "looked for wrong answers"),
        ({"model_fingerprint": "xxh3:other"}, "model_fingerprint is xxh3:other"),
        ({"numerics_id": "bf16-1"}, "numerics_id is bf16-1"),
        ({"tasks_fingerprint": "xxh3:other"}, "give a directory"),
    ],
)
def test_runs_that_do_not_go_together_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, str], message: str
) -> None:
    other = File([Sample([base(1)], target=1 if "control" in changed else None)], changed)
    export(run, other.write(tmp_path / "b.h5"), "--format", "polar", "-o", tmp_path / "o.json", status=1)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o.json").exists()


def test_a_directory_gets_the_files_that_trainers_look_for(tmp_path: Path) -> None:
    changed = {"task": "dart_math_3", "score": "generate", "grader": "boxed", "model_dir": "models/Tiny"}
    samples = [Sample([Chain(BASE, 0, depth=0, tokens=(1,), answer=b"4")])]
    dart = File(samples, changed | {"tasks_fingerprint": "xxh3:dart"}).write(tmp_path / "d.h5")
    arc = File([Sample([base(0)])], {"model_dir": "models/Tiny"}).write(tmp_path / "a.h5")
    export(dart, arc, "--format", "polar", "-o", f"{tmp_path}/polar/")
    export(dart, arc, "--format", "drllm", "--model-name", "org/Tiny", "-o", f"{tmp_path}/drllm/")
    polar = sorted(str(p.relative_to(tmp_path / "polar")) for p in (tmp_path / "polar").rglob("*.json"))
    assert polar == [f"Tiny/{name}/merged_mcts_samples.json" for name in ("arc_easy", "dart-math-diff-3")]
    drllm = sorted(path.name for path in (tmp_path / "drllm").iterdir())
    assert drllm == ["org-Tiny-arc_easy.json", "org-Tiny-dart-3.json"]
    found = read_polar(tmp_path / "polar" / polar[1], L)["q0"]
    assert (found.question, found.answer) == ("?", "answer 0")  # without choices: the right answer's text


def test_a_file_that_exists_stays_unless_forced(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    out.write_text("mine")
    export(run, "--format", "polar", "-o", out, status=1)
    assert "--force" in capsys.readouterr().err and out.read_text() == "mine"
    export(run, "--format", "polar", "--force", "-o", out)
    assert len(read_polar(out, L)) == 3


def test_any_text_is_kept(tmp_path: Path) -> None:
    odd = 'a "quote", \\, \u2028, \U0001f600 </script> \x01'
    path = File([Sample([base(0)])], ids=[odd], choices=[[odd, "b", "c", "d"]]).write(tmp_path / "run.h5")
    export(path, "--format", "polar", "-o", tmp_path / "out.json")
    (name,) = read_polar(tmp_path / "out.json", L)
    assert name == odd
    document = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert document["samples"][0]["question"] == f"?\nA. {odd}\nB. b\nC. c\nD. d"


def test_a_file_that_contradicts_itself_is_refused(run: Path, tmp_path: Path) -> None:
    import h5py

    with h5py.File(run, "r+") as file:
        file["chains/reward"][1] = 0.0
    export(run, "--format", "polar", "-o", tmp_path / "out.json", status=1)
    assert not (tmp_path / "out.json").exists()


PEAK = """
import sys
from cola_analysis import blocks, export_parquet, export_source
blocks.blocks.__defaults__ = (20_000,)  # chains of a block
export_parquet.BLOCK_CHAINS = export_source.BLOCK_CHAINS = 20_000
from cola_analysis.export_cli import main
assert main(sys.argv[1:]) == 0
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.fixture(scope="module")
def large_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """80,000 and 320,000 chains: four blocks, and sixteen."""
    root = tmp_path_factory.mktemp("large")
    for n in (400, 1600):
        write_large(root / f"{n}.h5", n_samples=n, n_chains=200, control=False)
    return [root / "400.h5", root / "1600.h5"]


@pytest.mark.parametrize("form", ["polar", "drllm", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, large_runs: list[Path], form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    peaks = []
    for path in large_runs:
        command = [sys.executable, "-c", PEAK, str(path), "--format", form, "-o", f"{tmp_path}/{path.stem}"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout.split()[-1]))
    # 240,000 chains more, held at once 56 MB and more; HDF5 and Arrow keep some MB of their own
    assert peaks[1] - peaks[0] < 35, peaks
