"""`cola bench`: its figures hang together, and --compare HF compares the same work. torch is not needed: a
small program stands in for the Hugging Face loop."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cola_jobs.tasks_h5 import Candidate, Generate, Sample, Tasks, write
from conftest import ROOT
from fake_hf_loop import PEAK_GFLOPS, SECONDS_A_LAYER

TINY = ROOT / "tests" / "data" / "models" / "llama_gqa_tied"
N_VOCAB = 320
N_SAMPLES, N_SIMULATIONS, N_ROUNDS = 6, 5, 2
RULES = ("letter", "loglik", "generate")


def make_tasks(path: Path, rule: str) -> Path:
    """Random questions for the tiny models."""
    rng = np.random.default_rng(5)

    def tokens(n: int) -> list[int]:
        return [int(token) for token in rng.integers(3, N_VOCAB, n)]

    samples = [
        Sample(
            id=f"q{i}",
            prompt=tokens(12 + i),
            candidates=[
                Candidate(tokens(1 if rule == "letter" else 1 + c), "ABCD"[c], f"choice {c}")
                for c in range(4)
            ],
            gold=i % 4,
            question=f"question {i}",
        )
        for i in range(N_SAMPLES)
    ]
    prints = dict.fromkeys(("tokenizer", "template", "data"), "")
    generate = Generate("letter", 4, [2]) if rule == "generate" else None
    vocabulary = [b" %d" % i for i in range(N_VOCAB)]
    write(path, Tasks("made_up", "tiny", rule, "test", samples, prints, vocabulary, generate))
    return path


@pytest.fixture(params=RULES)
def tasks(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of its own holds them, so that what bench leaves behind is seen."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    return make_tasks(folder / f"{request.param}.h5", request.param)


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    return make_tasks(tmp_path / "letter.h5", "letter")


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "TMPDIR"}


def bench(program: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program, "bench", "--model", TINY, "--threads", "1", "--rounds", str(N_ROUNDS), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment())


def figures(program: Path, *options: str | Path) -> dict[str, Any]:
    done = bench(program, "--json", *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def search_options(tasks: Path) -> tuple[str | Path, ...]:
    return ("--tasks", tasks, "--simulations", str(N_SIMULATIONS))


def check_sums(found: dict[str, Any]) -> None:
    """What must be so whatever was measured."""
    work, phases, shares = found["work"], dict(found["phase_s"]), found["shares"]
    outside = phases.pop("outside_steps")
    assert sum(phases.values()) == pytest.approx(found["engine_s"], rel=0.01)
    assert outside + found["engine_s"] == pytest.approx(work["wall_s"], rel=1e-6)
    assert outside > -0.01 * work["wall_s"]
    assert all(seconds >= 0 for seconds in phases.values())
    assert sum(row["share_of_flops"] for row in found["by_rows"]) == pytest.approx(1)
    rates = work["evaluations_per_s"]
    assert found["evaluations_per_s"] == rates["median"]
    assert 0 < rates["least"] <= rates["median"] <= rates["most"]
    assert rates["least"] <= work["evaluations"] / work["wall_s"] <= rates["most"]
    assert 0 < shares["floor_of_wall"]["median"] < shares["floor_with_head_of_wall"]["median"] < 2
    assert found["peak_flops_per_s"]["before"] > 1e8
    assert 0 <= found["bytes"]["states_now"] <= found["bytes"]["states_most"]
    assert (
        0 < found["bytes"]["states_most"] <= found["bytes"]["memory_most"] or not found["reuse"]["of_layers"]
    )


def test_a_whole_search_is_measured(program: Path, tasks: Path) -> None:
    found = figures(program, *search_options(tasks))
    check_sums(found)
    assert found["work"]["engine_only"] is False
    assert found["work"]["samples"] == N_SAMPLES
    assert found["work"]["evaluations"] == N_SAMPLES * N_SIMULATIONS * N_ROUNDS
    assert 0.1 < found["reuse"]["of_layers"] < 0.9
    assert 0.1 < found["reuse"]["of_row_layers"] < 0.9
    shares = found["shares"]
    assert 0 < shares["trees_of_wall"]["median"] < shares["master_of_wall"]["median"] < 1
    assert [path.name for path in tasks.parent.iterdir()] == [tasks.name]


def test_chains_guessed_in_vain_are_no_evaluations(program: Path, tasks: Path) -> None:
    found = figures(program, *search_options(tasks), "--speculate", "3")
    assert found["work"]["evaluations"] == N_SAMPLES * N_SIMULATIONS * N_ROUNDS


def test_without_memory_for_states_nothing_is_reused(program: Path, tasks: Path) -> None:
    found = figures(program, *search_options(tasks), "--state-memory", "0")
    check_sums(found)
    assert found["reuse"]["of_layers"] == 0
    assert found["reuse"]["of_row_layers"] == 0
    assert found["bytes"]["states_most"] == 0


def test_the_engine_alone_executes_what_it_is_given(program: Path, tasks: Path) -> None:
    found = figures(program, *search_options(tasks), "--engine-only")
    check_sums(found)
    assert found["work"]["engine_only"] is True
    assert found["work"]["evaluations"] == N_SAMPLES * N_SIMULATIONS * N_ROUNDS
    assert found["shares"]["master_of_wall"]["most"] == 0


@pytest.mark.parametrize("rule", RULES)
def test_random_tokens_need_no_tasks(program: Path, rule: str) -> None:
    options = ("--samples", "5", "--simulations", "3", "--score", rule, "--prompt", "20")
    if rule == "generate":
        options += ("--max-new-tokens", "4")
    found = figures(program, *options, "--state-memory", "0")
    check_sums(found)
    assert found["work"]["tasks"] is None
    assert found["work"]["evaluations"] == 5 * 3 * N_ROUNDS
    assert found["reuse"]["of_layers"] == found["reuse"]["of_row_layers"] == 0
    passes = 4 if rule == "generate" else 1  # random answers have no stop token
    layers = found["reuse"]["layers_asked"]
    assert layers % passes == 0
    assert 5 * N_ROUNDS * 3 * 6 * 0.5 < layers / passes < 5 * N_ROUNDS * 3 * 6 * 2


def test_what_people_read_has_every_figure(program: Path, letters: Path) -> None:
    done = bench(program, *search_options(letters))
    assert done.returncode == 0, done.stderr
    words = ("evaluations/s", "peak", "layers' products", "head's product", "floor", "reuse", "time in trees")
    for word in (*words, "states", "memory", "outside steps", "rows"):
        assert f"\n{word}" in done.stdout


def test_a_signal_leaves_nothing_behind(program: Path, letters: Path) -> None:
    command = [program, "bench", "--model", TINY, "--threads", "1", "--tasks", letters]
    process = subprocess.Popen(
        [*command, "--rounds", "1000"], stderr=subprocess.PIPE, text=True, env=environment()
    )
    for _ in range(1000):
        if list(letters.parent.glob("cola-bench-*/run.h5.journal")):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped; nothing of it is kept" in error
    assert [path.name for path in letters.parent.iterdir()] == [letters.name]


# --- the comparison ---


def compare(program: Path, tasks: Path, mode: str, *options: str) -> subprocess.CompletedProcess[str]:
    fake = Path(__file__).with_name("fake_hf_loop.py")
    loop = shlex.join([sys.executable, str(fake), str(program), mode])
    more = ("--compare", "HF", "--compare-chains", "10", "--hf-command", loop)
    return bench(program, *search_options(tasks), *more, *options)


def test_a_pair_is_our_round_and_their_chains(program: Path, tasks: Path) -> None:
    done = compare(program, tasks, "good", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    check_sums(found)
    compared = found["compare"]
    assert compared["info"]["attention"] == "fake"
    assert len(compared["pairs"]) == N_ROUNDS
    assert compared["same_answers"] == compared["their_chains"] == 10 * N_ROUNDS
    for pair in compared["pairs"]:
        assert pair["our_chains"] == N_SAMPLES * N_SIMULATIONS
        assert pair["their_s"] == pytest.approx(SECONDS_A_LAYER * pair["their_layers"])
        assert pair["ratio"] == pytest.approx(pair["their_s"] / pair["our_s"])
        by_layer = SECONDS_A_LAYER / (pair["our_s"] / pair["our_layers"])
        assert pair["ratio_by_layer"] == pytest.approx(by_layer)
        assert pair["their_peak_flops_per_s"] == PEAK_GFLOPS * 1e9
        assert pair["most_difference"] == 0
        assert pair["their_tokens"] == 0 or "generate" in tasks.name
    ratios = [pair["ratio"] for pair in compared["pairs"]]
    assert compared["ratio"]["median"] == pytest.approx(float(np.median(ratios)))
    assert [path.name for path in tasks.parent.iterdir()] == [tasks.name]


def test_their_share_of_their_peak_counts_their_products(program: Path, letters: Path) -> None:
    # every prompt token goes through every layer, the last one through the head: 2 FLOPs a weight
    found = json.loads(compare(program, letters, "good", "--json", "--compare-chains", "1000").stdout)
    config = json.loads((TINY / "config.json").read_text())
    d, f, heads, kv = (
        config[name]
        for name in ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
    )
    size = config.get("head_dim") or d // heads
    layer = 2 * d * heads * size + 2 * d * kv * size + 3 * d * f
    for pair in found["compare"]["pairs"]:
        rows_a_chain = np.mean([12 + i for i in range(N_SAMPLES)])
        # chains are as many a sample; lengths and prompts hardly go together
        expected = 2 * (rows_a_chain * pair["their_layers"] * layer + N_VOCAB * d)
        share = expected / pair["their_s"] / (PEAK_GFLOPS * 1e9)
        assert pair["their_share_of_peak"] == pytest.approx(share, rel=0.03)


def test_other_answers_are_seen(program: Path, tasks: Path) -> None:
    done = compare(program, tasks, "wrong", "--json")
    assert done.returncode == 1
    assert "answers of the Hugging Face loop are ours" in done.stderr
    compared = json.loads(done.stdout)["compare"]
    assert compared["same_answers"] == 0


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("crash", "ended by signal 6 before it answered"),
        ("refuse", "refused a request: this chain is not to my taste"),
        ("words", "no JSON object: once upon a time"),
        ("untimed", 'no "seconds" above 0'),
    ],
)
def test_a_loop_that_fails_is_told(program: Path, letters: Path, mode: str, words: str) -> None:
    done = compare(program, letters, mode)
    assert done.returncode == 1
    assert words in done.stderr
    assert [path.name for path in letters.parent.iterdir()] == [letters.name]


def test_a_missing_loop_names_the_remedy(program: Path, letters: Path) -> None:
    done = bench(program, *search_options(letters), "--compare", "HF", "--hf-command", "no-such-program")
    assert done.returncode == 1
    assert "exit status 127" in done.stderr
    assert "jobs/setup.sh compare" in done.stderr


def test_a_comparison_needs_a_search(program: Path) -> None:
    done = bench(program, "--compare", "HF")
    assert done.returncode == 2
    assert "needs --tasks" in done.stderr


# --- what cannot be measured is refused, what is interrupted says so ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tasks", "T", "--score", "loglik"), "--score is of random samples"),
        (("--tasks", "T", "--prompt", "9"), "--prompt is of random samples"),
        (("--tasks", "T", "--continuation", "9"), "--continuation is of random samples"),
        (("--tasks", "T", "--max-new-tokens", "9"), "--max-new-tokens is of random samples"),
        (
            ("--score", "letter", "--continuation", "9"),
            "--continuation is of random samples with --score loglik",
        ),
        (("--max-new-tokens", "9"), "--max-new-tokens is of random samples with --score generate"),
        (("--speculate", "2"), "--speculate is of a search"),
        (("--tasks", "T", "--engine-only", "--speculate", "2"), "--speculate is of a search"),
        (("--tasks", "T", "--compare-chains", "5"), "--compare-chains needs --compare HF"),
        (("--tasks", "T", "--hf-command", "x"), "--hf-command needs --compare HF"),
        (("--memory", "200", "--state-memory", "201"), "--state-memory 201 is part of --memory 200"),
    ],
)
def test_options_that_would_be_ignored_are_refused(
    program: Path, letters: Path, options: tuple[str, ...], words: str
) -> None:
    done = bench(program, *(letters if word == "T" else word for word in options))
    assert done.returncode == 2, done.stderr
    assert words in done.stderr


def test_a_search_refuses_more_for_states_than_there_is(program: Path, letters: Path) -> None:
    out = letters.with_name("run.h5")
    sizes = ("--memory", "200", "--state-memory", "201")
    command = [program, "search", letters, "--model", TINY, "--out", out, *sizes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "--state-memory 201 is part of --memory 200" in done.stderr


@pytest.mark.parametrize(("rank", "lines"), [("0", 1), ("1", 0)])
def test_several_ranks_are_refused_once(program: Path, rank: str, lines: int) -> None:
    command = [program, "bench", "--model", TINY, "--rounds", "1", "--samples", "2"]
    launcher = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": rank}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment() | launcher)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("without mpirun") == lines
    launcher["OMPI_COMM_WORLD_SIZE"] = "1"
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment() | launcher)
    assert done.returncode == 0


def seconds_until_it_ends(process: subprocess.Popen[str]) -> tuple[float, str]:
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    return time.monotonic() - began, error


def test_a_signal_ends_the_engine_alone(program: Path) -> None:
    command = [program, "bench", "--model", TINY, "--threads", "1", "--rounds", "1000"]
    process = subprocess.Popen(
        [*command, "--samples", "2000", "--simulations", "50"], stderr=subprocess.PIPE, text=True
    )
    time.sleep(1.5)  # nothing outside tells that it has begun to measure
    seconds, error = seconds_until_it_ends(process)
    assert process.returncode == 1
    assert "stopped; nothing of it is kept" in error
    assert seconds < 2


@pytest.mark.parametrize("deaf", [False, True])
def test_a_signal_ends_the_other_program_too(
    program: Path, letters: Path, tmp_path: Path, deaf: bool
) -> None:
    """A loop that never answers, and one that does not even hear TERM; the signal is sent to cola alone."""
    pid_file = tmp_path / "pid"
    script = tmp_path / "loop.sh"
    trap = "trap '' TERM INT" if deaf else ":"
    script.write_text(f"{trap}\necho $$ >{pid_file}\nwhile :; do sleep 1; done\n")
    more = ("--compare", "HF", "--hf-command", f"sh {script}")
    command = [program, "bench", "--model", TINY, "--threads", "1", *search_options(letters), *more]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    for _ in range(1000):
        if pid_file.exists() and pid_file.read_text():
            break
        time.sleep(0.01)
    seconds, error = seconds_until_it_ends(process)
    assert process.returncode == 1
    assert "stopped; nothing of it is kept" in error
    assert seconds < 2
    assert not Path("/proc", pid_file.read_text().strip()).exists()
    assert not list(tmp_path.glob("cola-bench-*"))


def test_help_says_which_bytes_are_the_same(program: Path) -> None:
    done = subprocess.run([program, "eval", "--help"], capture_output=True, text=True, check=True)
    words = " ".join(done.stdout.split())
    assert "with --dtype bf16 too" in words
    assert "not with --bf16-products onednn" in words
