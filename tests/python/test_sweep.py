"""jobs/sweep.py with a made-up Slurm and a made-up cola on PATH: what is submitted, what is said, what is not
touched. Result files are JSON here; the real formats are tested under a real Slurm in tests/slurm."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import sweep
from cola_jobs import sweep_state, sweep_submit

FAKE = """#!{python} -SE
import json, os, sys
from pathlib import Path
here = Path("{here}")
argv = sys.argv[1:]
"""

# numbers jobs from 101; tells what it was given; fails where the job's name has the word in `refuse`
SBATCH = """
if (here / "refuse").exists() and any((here / "refuse").read_text() in word for word in argv):
    sys.exit("sbatch: error: Batch job submission failed: Invalid account")
log = here / "sbatch.jsonl"
n = 101 + (len(log.read_text().splitlines()) if log.exists() else 0)
variables = {key: value for key, value in os.environ.items() if key.startswith("COLA")}
with log.open("a") as file:
    file.write(json.dumps({"id": str(n), "argv": argv, "variables": variables}) + "\\n")
print(f"{n};cluster")
"""
SQUEUE = 'print((here / "queue").read_text() if (here / "queue").exists() else "", end="")\n'
SCANCEL = 'with (here / "scancel").open("a") as file:\n    file.write(" ".join(argv) + "\\n")\n'
COLA = """
if argv[0] == "merge":
    parts = [json.loads(Path(p).read_text()) for p in argv[2:]]
    total = {"complete": True, "found": [0, 0], "digest": "merged", "n_samples": 0, "n_finished": 0}
    total["n_chains"] = 0
    for part in parts:
        for key in ("n_samples", "n_finished", "n_chains"):
            total[key] += part[key]
    Path(argv[1]).write_text(json.dumps(total))
elif argv[0] == "show":
    page = json.loads(Path(argv[1]).read_text())
    if "damaged" in page:
        sys.exit(f"cola: error: {argv[1]}: damaged")
    if "--digest" in argv:
        print(page["digest"])
    else:
        page["finished_samples"] = {"target_found": {"count": page["found"][0], "of": page["found"][1]}}
        print(json.dumps(page))
elif argv[0] == "search" and "--help" not in argv:
    assert argv[1].startswith("/dev/null/")
    wrong = [word for word in argv if word in ("bf17", "colla")]
    print(f"cola: error: {wrong[0]} is no choice" if wrong else "no such file", file=sys.stderr)
    sys.exit(2 if wrong else 1)
elif argv[0] == "search":
    print("".join(f"  --{name} X\\n" for name in "simulations preset space control threads dtype".split()))
else:
    print(json.dumps({"evaluations_per_s": 2.0}))
"""

TOML = """
directory = "out"
cola = "bin/cola"
controls = ["none", "wrong-answer"]
memo = true
[search]
simulations = 10
[models.one]
path = "model"
[benchmarks.easy]
task = "arc_easy"
rows = ["rows.jsonl"]
[benchmarks.hard]
rows = ["rows.jsonl"]
slurm.shards = 1
[presets.cola]
[slurm]
shards = 4
workers = 2
threads = 3
partition = "long"
time = "1:00:00"
stop_before = 120
array_limit = 2
merge = {time = "0:10:00"}
"""
EASY, CONTROL, HARD = "one/easy/cola-both", "one/easy/cola-both-wrong-answer", "one/hard/cola-both"


class World:
    """A directory with a sweep file, tasks of 10 samples, and programs that only say what they were told."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        (root / "bin").mkdir()
        for name, body in (("sbatch", SBATCH), ("squeue", SQUEUE), ("scancel", SCANCEL), ("cola", COLA)):
            path = root / "bin" / name
            path.write_text(FAKE.format(python=sys.executable, here=root) + body)
            path.chmod(0o755)
        patch.setenv("PATH", f"{root / 'bin'}:/usr/bin:/bin")
        patch.setenv("COLA_SHARDS", "77")  # of somebody else's job: must not reach sbatch
        self.file = root / "paper.toml"
        self.file.write_text(TOML)
        (root / "model").mkdir()
        (root / "rows.jsonl").write_text("{}\n" * 10)
        for benchmark in ("easy", "hard"):
            tasks = root / "out" / "one" / benchmark / "tasks.h5"
            tasks.parent.mkdir(parents=True)
            with h5py.File(tasks, "w") as file:
                file["samples/gold"] = np.zeros(10, np.int32)

    def run(self, verb: str, *words: str) -> int:
        return sweep.main([verb, str(self.file), *words])

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def submitted(self) -> list[dict[str, Any]]:
        log = self.root / "sbatch.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def queue(self, *lines: tuple[str, str, str, str, str]) -> None:
        """(id, state, reason, kind, run) of jobs in the queue."""
        mark = sweep_state.load(self.root / "out").id
        text = "".join(f"{i}|{s}|{why}|cola-sweep:{mark}:{kind}:{run}\n" for i, s, why, kind, run in lines)
        (self.root / "queue").write_text(text)

    def result(self, name: str, **changes: Any) -> None:
        page = {
            "complete": True,
            "n_samples": 2,
            "n_finished": 2,
            "n_chains": 20,
            "found": [1, 2],
            "digest": "d",
        }
        (self.root / "out" / f"{name}.h5").write_text(json.dumps(page | changes))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def option(job: dict[str, Any], name: str) -> str | None:
    found = [word.split("=", 1)[1] for word in job["argv"] if word.startswith(f"--{name}=")]
    assert len(found) <= 1
    return found[0] if found else None


def test_plan_counts_and_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.result("one/easy/cola-both-0-of-4", n_chains=20)
    assert world.run("plan", "--rate", "0.5", "--commands") == 0
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if line.startswith(f"{EASY} "))
    # 8 of 10 samples are left, in shards of 3, 2 and 3 by --shard's rule: 80 evaluations, 30 of the longest
    assert line.split()[1:4] == ["10", "10", "80"]
    assert line.split()[4:6] == [f"{30 / 1 / 3600:.3g}", f"{80 / 0.5 / 3600 * 3:.3g}"]
    assert line.endswith("shards 1-3 of 4 + merge")
    assert "--array=1-3%2" in out and "--dependency=afterok:JOB --kill-on-invalid-dep=yes" in out
    assert not (world.root / "out" / "sweep.json").exists() and not world.submitted()


def test_plan_without_slurm_and_with_bench(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("sbatch", "squeue", "scancel"):
        (world.root / "bin" / name).unlink()
    os.environ["PATH"] = str(world.root / "bin")
    assert world.run("plan", "--bench") == 0
    assert f"{100 / 2 / 3600 * 3:.3g}" in capsys.readouterr().out
    assert world.run("submit") == 1
    assert "squeue: no such program" in capsys.readouterr().err


def test_an_option_that_cola_does_not_have(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.edit("simulations = 10", "simulations = 10\nsimulation = 10")
    assert world.run("submit") == 1
    assert "search has no option --simulation\n" in capsys.readouterr().err
    assert not world.submitted()


def test_submit_arrays_merges_and_controls(world: World) -> None:
    assert world.run("submit") == 0
    jobs = world.submitted()
    assert [option(job, "job-name") for job in jobs] == [
        f"paper:{EASY}",
        f"paper:{EASY}:merge",
        f"paper:{CONTROL}",
        f"paper:{CONTROL}:merge",
        f"paper:{HARD}",
        f"paper:{HARD}-wrong-answer",
    ]
    search, merge, control, _, whole, _ = jobs
    out = world.root / "out"
    assert option(search, "array") == "0-3%2" and option(search, "dependency") is None
    assert [option(search, n) for n in ("ntasks", "cpus-per-task", "signal")] == ["2", "3", "B:USR1@120"]
    assert [option(search, n) for n in ("partition", "time")] == ["long", "1:00:00"]
    at = next(i for i, word in enumerate(search["argv"]) if word.endswith("search.sbatch"))
    files = ["one/easy/tasks.h5", "../model", f"{EASY}.h5"]
    assert search["argv"][at + 1 : at + 4] == [os.path.normpath(out / name) for name in files]
    words = " ".join(search["argv"][at + 4 :])
    assert words == "--simulations 10 --preset cola --space both --control none --threads 3"
    assert search["variables"] == {"COLA": str(world.root / "bin" / "cola"), "COLA_SHARDS": "4"}
    assert option(merge, "dependency") == "afterok:101" and "--kill-on-invalid-dep=yes" in merge["argv"]
    assert [option(merge, n) for n in ("partition", "time", "array")] == ["long", "0:10:00", None]
    shards = [str(out / f"{EASY}-{i}-of-4.h5") for i in range(4)]
    assert merge["argv"][-5:] == [str(out / f"{EASY}.h5"), *shards]
    # the control takes what the run evaluated, so it waits for it
    assert option(control, "dependency") == "afterok:101"
    assert control["variables"]["COLA_MEMO"] == str(out / f"{EASY}.h5")
    assert option(whole, "array") is None and "COLA_SHARDS" not in whole["variables"]


def test_submit_again_submits_only_what_is_missing(world: World) -> None:
    assert world.run("submit", EASY) == 0 and len(world.submitted()) == 4
    world.result("one/easy/cola-both-0-of-4")
    world.queue(
        ("101_1", "RUNNING", "None", "search", EASY),
        ("101_2", "FAILED", "NonZeroExitCode", "search", EASY),
        ("101_3", "PENDING", "DependencyNeverSatisfied", "search", EASY),
        ("102", "PENDING", "DependencyNeverSatisfied", "merge", EASY),
        *[(f"103_{i}", "PENDING", "Dependency", "search", CONTROL) for i in range(4)],
        ("104", "PENDING", "Dependency", "merge", CONTROL),
    )
    assert world.run("submit", EASY) == 0
    search, merge = world.submitted()[4:]
    assert option(search, "array") == "2-3%2" and search["variables"]["COLA_SHARDS"] == "4"
    # the merge waits for the shard that still runs, and for the new ones; the old merge goes
    assert option(merge, "dependency") == "afterok:101:105"
    assert (world.root / "scancel").read_text() == "102\n"
    world.result(EASY, n_samples=10)
    for shard in range(4):
        world.result(f"{CONTROL}-{shard}-of-4")
    (world.root / "queue").unlink()
    assert world.run("submit", EASY) == 0
    assert [option(job, "job-name") for job in world.submitted()[6:]] == [f"paper:{CONTROL}:merge"]


def test_one_refused_job_does_not_stop_the_others(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (world.root / "refuse").write_text(f"paper:{EASY}")
    assert world.run("submit") == 1
    captured = capsys.readouterr()
    assert "Invalid account" in captured.err and "2 jobs submitted, 2 failures" in captured.out
    (world.root / "refuse").unlink()
    world.queue(
        *[
            (str(i), "RUNNING", "None", "search", run)
            for i, run in ((101, HARD), (102, f"{HARD}-wrong-answer"))
        ]
    )
    assert world.run("submit") == 0
    assert len(world.submitted()) == 6


def test_tasks_that_cannot_be_prepared(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (world.root / "out" / "one" / "easy" / "tasks.h5").unlink()
    assert world.run("submit") == 1
    assert "one/easy: prepare.py failed" in capsys.readouterr().err
    assert option(world.submitted()[0], "job-name") == f"paper:{HARD}"


def test_a_job_that_the_state_does_not_know_is_taken_over(world: World) -> None:
    """A submit that died between sbatch and its state."""
    assert world.run("submit", HARD) == 0 and len(world.submitted()) == 2
    state = sweep_state.load(world.root / "out")
    state.runs.clear()
    state.save()
    world.queue(
        ("101", "RUNNING", "None", "search", HARD),
        ("102", "PENDING", "None", "search", f"{HARD}-wrong-answer"),
    )
    assert world.run("submit", HARD) == 0
    assert len(world.submitted()) == 2
    assert sweep_state.load(world.root / "out").runs[HARD].jobs[0].id == "101"


def test_changed_shards_options_and_tasks_are_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("submit", "one/easy") == 0
    world.edit("shards = 4", "shards = 5")
    assert world.run("submit", "one/easy") == 1
    assert "has 4 shards, now the sweep file says 5" in capsys.readouterr().err
    world.edit("shards = 5", "shards = 4")
    world.edit("simulations = 10", "simulations = 11")
    assert world.run("submit", "one/easy") == 1
    assert "other options of cola search (10 11)" in capsys.readouterr().err
    world.edit("simulations = 11", "simulations = 10")
    world.edit('task = "arc_easy"', 'task = "arc_easy"\nlimit = 4')
    assert world.run("submit", "one/easy") == 1
    assert "was prepared with other options" in capsys.readouterr().err
    assert len(world.submitted()) == 4


def test_status_sums_shards_and_shows_the_last_words(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.edit('controls = ["none", "wrong-answer"]', "")
    assert world.run("submit") == 0
    capsys.readouterr()
    world.result("one/easy/cola-both-0-of-4", n_finished=2, found=[1, 2], n_chains=20)
    world.result(
        "one/easy/cola-both-1-of-4", n_samples=3, n_finished=1, complete=False, n_chains=15, found=[1, 1]
    )
    world.queue(
        ("101_1", "RUNNING", "None", "search", EASY),
        ("101_2", "FAILED", "NonZeroExitCode", "search", EASY),
        ("102", "PENDING", "Dependency", "merge", EASY),
        ("103", "RUNNING", "None", "search", HARD),
    )
    logs = world.root / "out" / "logs"
    for shard, stamp in ((2, "10:00:01"), (3, "10:00:02")):
        name = f"one.easy.cola-both.search-101_{shard}.log"
        (logs / name).write_text(f"{stamp} begins\n\ncola: error: no such\x1b model\n")
    assert world.run("status") == 1
    out = capsys.readouterr().out
    easy = next(line for line in out.splitlines() if line.startswith(EASY)).split()
    assert easy[1:4] == ["3/10", "2/3", "35"]
    assert " ".join(easy[6:]) == "1 done, 1 running, 2 dead, merge pending"
    assert "0/10" in next(line for line in out.splitlines() if line.startswith(HARD))
    assert "3/20" in next(line for line in out.splitlines() if line.startswith("all"))
    assert (
        f"{EASY}: shard 2 of 4 is dead: job 101_2, failed" in out
        and "and 1 shards more that end alike" in out
    )
    assert "    cola: error: no such  model\n" in out


def test_an_id_that_slurm_gave_out_again_is_not_ours(world: World) -> None:
    assert world.run("submit", HARD) == 0
    (world.root / "queue").write_text("101|RUNNING|None|(null)\n102|RUNNING|None|cola-sweep:other:search:x\n")
    assert world.run("status", HARD) == 1
    assert world.run("submit", HARD) == 0 and len(world.submitted()) == 4


def test_status_without_a_log_or_with_a_damaged_file(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("submit", HARD) == 0
    assert world.run("status", HARD) == 1
    assert "no log" in capsys.readouterr().out
    world.result(HARD, damaged=True)
    assert world.run("status", HARD) == 1
    assert "cola-both.h5: damaged" in capsys.readouterr().out
    (world.root / "bin" / "squeue").write_text("#!/bin/sh\necho squeue: error: down >&2\nexit 1\n")
    world.result(HARD, complete=False)
    assert world.run("status", HARD) == 0  # without squeue nobody knows that it is dead
    assert "nothing is known of jobs: squeue failed: squeue: error: down" in capsys.readouterr().out


def test_collect_merges_what_is_complete_and_compares_digests(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.edit('controls = ["none", "wrong-answer"]', "")
    for shard in range(4):
        world.result(f"one/easy/cola-both-{shard}-of-4")
    assert world.run("collect") == 75
    captured = capsys.readouterr()
    assert captured.out == f"merged  {world.root}/out/{EASY}.h5\n" and HARD in captured.err
    world.result(HARD)
    assert world.run("collect") == 0
    world.result(HARD, digest="another")
    assert world.run("collect") == 1
    assert "has another, but had d when it was collected before" in capsys.readouterr().err


def test_cancel_takes_only_jobs_with_our_mark(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("submit") == 0
    world.queue(
        ("101_1", "RUNNING", "None", "search", EASY),
        ("101_2", "COMPLETED", "None", "search", EASY),
        ("105", "PENDING", "Resources", "search", HARD),
    )
    with (world.root / "queue").open("a") as file:
        file.write(
            "103_0|RUNNING|None|cola-sweep:00000000:search:one/easy/cola-both\n104|RUNNING|None|(null)\n"
        )
    assert world.run("cancel", EASY) == 0
    assert (world.root / "scancel").read_text() == "101_1\n"
    assert world.run("cancel") == 0
    assert (world.root / "scancel").read_text() == "101_1\n101_1 105\n"


def test_state_survives_and_a_second_writer_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with sweep_state.locked(world.root / "out"):
        assert world.run("submit") == 1
    assert "another sweep.py is at work" in capsys.readouterr().err
    assert world.run("submit") == 0
    assert [p.name for p in (world.root / "out").glob("sweep.json*")] == ["sweep.json"]
    (world.root / "out" / "sweep.json").write_text("{")
    assert world.run("status") == 1
    assert "sweep.json: damaged" in capsys.readouterr().err
    (world.root / "out" / "sweep.json").write_text('{"version": 2, "id": "x", "tasks": {}, "runs": {}}')
    assert world.run("status") == 1
    assert "version 2, this program knows 1" in capsys.readouterr().err


def test_more_shards_than_rows_are_refused_before_anything_is_submitted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.edit("shards = 4", "shards = 11")
    for verb in ("plan", "submit"):
        assert world.run(verb) == 1
        error = capsys.readouterr().err
        assert f"{EASY}: 11 shards of 10 rows: some would have none, and fail" in error
        assert f"{CONTROL}: 11 shards" in error and "set slurm.shards to 10 or less" in error
        assert HARD not in error  # has one shard
    assert not world.submitted()
    world.edit("shards = 11", "shards = 10")
    assert world.run("plan") == 0 and world.run("submit") == 0


@pytest.mark.parametrize(
    ("keys", "n"), [("limit = 3", 3), ("skip = 7", 3), ("", 10), ("limit = 1\nreorder = 2", 3)]
)
def test_rows_are_bounded_before_preparation(
    world: World, capsys: pytest.CaptureFixture[str], keys: str, n: int
) -> None:
    (world.root / "out" / "one" / "easy" / "tasks.h5").unlink()
    world.edit('task = "arc_easy"', f'task = "arc_easy"\n{keys}')
    world.edit("shards = 4", f"shards = {n + 1}")
    for verb in ("plan", "submit"):
        assert world.run(verb, EASY) == 1
        assert f"{EASY}: {n + 1} shards of at most {n} rows" in capsys.readouterr().err
    world.edit(f"shards = {n + 1}", f"shards = {n}")
    assert world.run("plan", EASY) == 0
    assert not world.submitted()


def test_rows_that_preparation_leaves_out_count(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = world.root / "out" / "one" / "easy" / "tasks.h5"
    tasks.unlink()

    def prepare(*_: Any) -> None:
        with h5py.File(tasks, "w") as file:
            file["samples/gold"] = np.zeros(3, np.int32)

    monkeypatch.setattr(sweep_submit, "prepare", prepare)
    assert world.run("submit", EASY) == 1
    assert f"{EASY}: 4 shards of 3 rows" in capsys.readouterr().err
    assert not world.submitted()


def test_a_run_that_was_submitted_with_too_many_shards(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("submit", EASY) == 0
    with h5py.File(world.root / "out" / "one" / "easy" / "tasks.h5", "w") as file:
        file["samples/gold"] = np.zeros(3, np.int32)
    assert world.run("submit", EASY) == 1
    assert "set slurm.shards to 3 or less and, as this run has jobs already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "run"),
    [
        ("simulations = 10", 'simulations = 10\ndtype = "bf17"', EASY),
        ("[presets.cola]", "[presets.cola]\n[presets.colla]", "one/easy/colla-both"),
    ],
)
def test_a_value_that_cola_refuses(
    world: World, capsys: pytest.CaptureFixture[str], old: str, new: str, run: str
) -> None:
    world.edit(old, new)
    for verb in ("plan", "submit"):
        assert world.run(verb) == 1
        error = capsys.readouterr().err
        assert f"paper.toml: {run}: cola search says: " in error and "is no choice\n" in error
    assert not world.submitted()
    assert world.run("status") == 0 and world.run("cancel") == 0  # these must work all the same


def test_a_model_or_rows_that_are_not_there(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (world.root / "out" / "one" / "easy" / "tasks.h5").unlink()
    world.edit('task = "arc_easy"\nrows = ["rows.jsonl"]', 'task = "arc_easy"\nrows = ["no.jsonl", "hf:a:b"]')
    for verb in ("plan", "submit"):
        assert world.run(verb) == 1
        captured = capsys.readouterr()
        assert f"one/easy: no file {world.root}/no.jsonl: correct rows" in captured.err
        assert "prepare.py failed" not in captured.err
        if verb == "plan":
            assert captured.err.count("no.jsonl") == 1
            ends = [line.split()[-1] for line in captured.out.splitlines() if line.startswith("one/")]
            assert ends[:2] == ["refused", "refused"] and "refused" not in ends[2:]
            assert "2 sbatch" in captured.out
    assert [option(job, "job-name") for job in world.submitted()] == [
        f"paper:{HARD}",
        f"paper:{HARD}-wrong-answer",
    ]
    (world.root / "model").rmdir()
    for verb in ("plan", "submit"):
        assert world.run(verb, HARD) == 1
        assert f"{world.root}/model: no such model directory" in capsys.readouterr().err
    assert len(world.submitted()) == 2


def test_plan_and_status_say_what_submit_refuses(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("submit", EASY) == 0
    for shard in range(4):
        world.result(f"one/easy/cola-both-{shard}-of-4")
    world.queue(*[(f"101_{i}", "COMPLETED", "None", "search", EASY) for i in range(4)])
    world.edit("shards = 4", "shards = 5")
    words = f"{EASY}: has 4 shards, now the sweep file says 5"
    assert world.run("plan", EASY, "--commands") == 1
    captured = capsys.readouterr()
    assert f"sweep.py: {words}" in captured.err and "refused" in captured.out and "0 sbatch" in captured.out
    assert "sbatch --parsable" not in captured.out
    assert world.run("status", EASY) == 1
    out = capsys.readouterr().out
    assert words in out and "4 done" in out and f"{EASY}: shard" not in out
    world.edit("shards = 5", "shards = 4")
    world.edit("simulations = 10", "simulations = 11")
    for verb in ("plan", "status"):
        assert world.run(verb, EASY) == 1
        captured = capsys.readouterr()
        assert "other options of cola search (10 11)" in captured.out + captured.err
    world.edit("simulations = 11", "simulations = 10")
    world.edit('task = "arc_easy"', 'task = "arc_easy"\nlimit = 4')
    assert world.run("plan", EASY) == 1
    assert "was prepared with other options" in capsys.readouterr().err


def test_commands_have_the_dependencies_that_submit_gives(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_control() -> str:
        assert world.run("plan", "--commands") == 0
        lines = capsys.readouterr().out.splitlines()
        return next(
            line for line in lines if "search.sbatch" in line and f"--job-name=paper:{CONTROL} " in line
        )

    assert f" --dependency=afterok:JOB_OF_{EASY} " in of_control()
    assert world.run("submit", EASY) == 0  # the control, too: its name begins so
    state = sweep_state.load(world.root / "out")
    del state.runs[CONTROL]
    state.save()
    world.queue(*[(f"101_{i}", "RUNNING", "None", "search", EASY) for i in range(4)])
    capsys.readouterr()
    assert " --dependency=afterok:101 " in of_control()
    assert world.run("plan", CONTROL, "--commands") == 0
    assert " --dependency=afterok:101 " in capsys.readouterr().out
    for shard in range(4):
        world.result(f"one/easy/cola-both-{shard}-of-4")
    (world.root / "queue").unlink()
    assert "--dependency" not in of_control()
