"""What passes the check of --memory finishes; what does not is refused before the first evaluation, with the
arithmetic: alone, under mpirun, by `cola bench` and by `cola plan`, which say the same smallest number."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cola_jobs.tasks_h5 import Candidate, Generate, Sample, Tasks, write
from conftest import ROOT

TINY = ROOT / "tests" / "data" / "models" / "llama_gqa_tied"
N_VOCAB, N_SAMPLES, LONGEST = 320, 5, 3
SEARCH = ("--threads", "1", "--simulations", "12", "--quiet")


def make_tasks(path: Path, rule: str) -> Path:
    """Short questions but for one in the middle."""
    rng = np.random.default_rng(7)

    def tokens(n: int) -> list[int]:
        return [int(token) for token in rng.integers(3, N_VOCAB, n)]

    samples = [
        Sample(
            id=f"q{i}",
            prompt=tokens(420 if i == LONGEST else 10 + i),
            candidates=[Candidate(tokens(2 + c), "AB"[c], f"choice {c}") for c in range(2)],
            gold=i % 2,
            question=f"question {i}",
        )
        for i in range(N_SAMPLES)
    ]
    prints = dict.fromkeys(("tokenizer", "template", "data"), "")
    generate = Generate("letter", 40, [2]) if rule == "generate" else None
    vocabulary = [b" %d" % i for i in range(N_VOCAB)]
    write(path, Tasks("made_up", "tiny", rule, "test", samples, prints, vocabulary, generate))
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment | allowed,
    )


def search(
    program: Path, tasks: Path, memory: int, *more: str, launcher: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    out = tasks.with_name(f"run-{memory}.h5")
    for path in tasks.parent.glob("run-*"):
        path.unlink()
    words = (program, "search", tasks, "--model", TINY, "--out", out, "--memory", str(memory), *SEARCH, *more)
    return run(*launcher, *words)


def cross(
    program: Path, tasks: Path, memory: int, chains: str, launcher: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    for path in tasks.parent.glob("x.h5*"):
        path.unlink()
    listed = tasks.with_name("chains")
    listed.write_text(chains)
    words = (program, "cross", "--tasks", tasks, "--model", TINY, "--chains", listed, "--memory", str(memory))
    return run(*launcher, *words, "--out", tasks.with_name("x.h5"), "--threads", "1", "--quiet")


def missing(text: str) -> int:
    found = re.search(r"--memory must be (\d+) MiB larger", text)
    assert found, text
    return int(found[1])


@pytest.mark.parametrize("rule", ["generate", "loglik"])
def test_the_smallest_memory_that_passes_finishes(program: Path, tmp_path: Path, rule: str) -> None:
    tasks = make_tasks(tmp_path / "tasks.h5", rule)
    first = search(program, tasks, 67)
    assert first.returncode == 1
    assert f"sample {LONGEST}, the longest" in first.stderr
    assert not list(tmp_path.glob("run-*"))
    smallest = 67 + missing(first.stderr)
    refused = search(program, tasks, smallest - 1)
    assert refused.returncode == 1
    assert missing(refused.stderr) == 1
    assert not list(tmp_path.glob("run-*"))
    done = search(program, tasks, smallest)
    assert done.returncode == 0, done.stderr
    shorter = search(program, tasks, 67, "--samples", f"0:{LONGEST}")
    assert shorter.returncode == 0, shorter.stderr


def test_each_worker_checks_its_own_memory(program: Path, tmp_path: Path) -> None:
    if not shutil.which("mpirun"):
        pytest.skip("no mpirun")
    tasks = make_tasks(tmp_path / "tasks.h5", "generate")
    launcher = ("mpirun", "--oversubscribe", "--bind-to", "none", "-n", "3")
    refused = search(program, tasks, 67, launcher=launcher)
    assert refused.returncode == 1
    assert re.search(rf"worker [12]: sample {LONGEST}, the longest", refused.stderr)
    assert not list(tmp_path.glob("run-*"))
    done = search(program, tasks, 67 + missing(refused.stderr), launcher=launcher)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("rule", ["generate", "loglik"])
@pytest.mark.parametrize("ranks", [0, 3])
def test_cross_checks_the_longest_chain_of_its_list(
    program: Path, tmp_path: Path, rule: str, ranks: int
) -> None:
    """Of a search the options say how long a chain may be, of a table the list does."""
    if ranks and not shutil.which("mpirun"):
        pytest.skip("no mpirun")
    launcher = ("mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)) if ranks else ()
    tasks = make_tasks(tmp_path / "tasks.h5", rule)
    n_layers = json.loads((TINY / "config.json").read_text())["num_hidden_layers"]
    base = f"0-{n_layers - 1}"
    lists = {"short": f"0\n{base}\n", "long": f"(0)x{4 * n_layers}\n{base}\n"}
    least = {}
    for name, chains in lists.items():
        refused = cross(program, tasks, 67, chains, launcher)
        assert refused.returncode == 1
        assert f"sample {LONGEST}, the longest" in refused.stderr
        assert f"a chain of {n_layers if name == 'short' else 4 * n_layers} layers" in refused.stderr
        assert not list(tmp_path.glob("x.h5*"))
        least[name] = 67 + missing(refused.stderr)
        done = cross(program, tasks, least[name], chains, launcher)
        assert done.returncode == 0, done.stderr
    assert least["long"] > least["short"] if rule == "generate" else least["long"] == least["short"]


@pytest.mark.parametrize("more", [(), ("--engine-only",)])
def test_bench_refuses_as_search_does(program: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    tasks = make_tasks(tmp_path / "tasks.h5", "generate")
    command = (program, "bench", "--model", TINY, "--tasks", tasks, "--threads", "1", "--rounds", "1")
    refused = run(*command, "--memory", "67", *more)
    assert refused.returncode == 1
    assert f"sample {LONGEST}, the longest" in refused.stderr
    done = run(*command, "--memory", str(67 + missing(refused.stderr)), *more)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [tasks.name]


@pytest.mark.parametrize("rule", ["generate", "loglik"])
def test_plan_says_the_same_number(program: Path, tmp_path: Path, rule: str) -> None:
    tasks = make_tasks(tmp_path / "tasks.h5", rule)
    smallest = 67 + missing(search(program, tasks, 67).stderr)
    command = (program, "plan", tasks, "--model", TINY, "--threads", "1", "--measure", "0")
    memory = json.loads(run(*command, "--json").stdout)["worker_memory"]
    assert memory["least_memory_mib"] == smallest
    assert memory["program_bytes"] == 65 << 20
    assert memory["longest_sample"] == LONGEST
    refused = run(*command, "--memory", str(smallest - 1))
    assert refused.returncode == 1
    assert missing(refused.stderr) == 1
    assert run(*command, "--memory", str(smallest)).returncode == 0
    assert f"--memory {smallest}" in run(*command).stdout


def test_a_long_chain_needs_more_than_a_short_one(program: Path, tmp_path: Path) -> None:
    """The longest chain that the options allow counts, not the model's."""
    tasks = make_tasks(tmp_path / "tasks.h5", "generate")
    command = (program, "plan", tasks, "--model", TINY, "--threads", "1", "--measure", "0", "--json")
    sizes = [
        json.loads(run(*command, "--max-length", length).stdout)["worker_memory"]["request_bytes"]
        for length in ("1", "2", "4")
    ]
    assert sizes[1] - sizes[0] == (sizes[2] - sizes[1]) / 2 > 0
