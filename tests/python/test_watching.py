"""What is seen of a search: `cola show --follow` from its files, `--events`, and the line a worker."""

import json
import re
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from test_bench import N_SAMPLES, TINY, make_tasks

N_SIMULATIONS = 20
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


def cola(program: Path, *arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(program), *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == expect, done.stderr
    return done


def search_line(tasks: Path, run: Path, *options: str) -> list[str]:
    return ["search", *map(str, (tasks, "--model", TINY, "--out", run, *options))]


def follow(program: Path, run: Path, expect: int, *options: str) -> list[dict[str, Any]]:
    done = cola(program, "show", run, "--follow", "--json", "--interval", "0.1", *options, expect=expect)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    return make_tasks(tmp_path / "tasks.h5", "letter")


def long_search(program: Path, tasks: Path, run: Path) -> subprocess.Popen[bytes]:
    """Far more work than a test waits for; runs when its journal is there."""
    work = ["--simulations", "1000000", "--preset", "random", "--samples", "2:5"]
    line = search_line(tasks, run, *work, "--quiet", "--threads", "1")
    process = subprocess.Popen([str(program), *line], cwd=ROOT)
    until = time.monotonic() + 30
    while not run.with_name("run.h5.journal").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return process


def test_a_finished_run_is_told_at_once(program: Path, tasks: Path, tmp_path: Path) -> None:
    """Rows in the middle: a journal's samples are rows of the tasks."""
    run = tmp_path / "run.h5"
    options = ["--simulations", str(N_SIMULATIONS), "--samples", "2:5", "--quiet"]
    cola(program, *search_line(tasks, run, *options))
    lines = follow(program, run, 0)
    page = json.loads(cola(program, "show", run, "--json").stdout)
    assert len(lines) == 1
    last = lines[0]
    assert last["state"] == "finished"
    assert last["n_finished"] == last["n_samples"] == 3
    assert last["evaluations"] == page["n_chains"] == page["journal"]["evaluations"]
    assert last["left_s"] == 0
    assert last["unread_bytes"] == 0
    found = page["finished_samples"]
    assert (last["fold"]["found"], last["fold"]["of"]) == (
        found["target_found"]["count"],
        found["target_found"]["of"],
    )
    assert last["fold"]["base_right"] == found["base_right"]["count"]
    assert page["journal"]["beyond_this_file"] == 0
    assert not page["journal"]["written_now"]
    run.with_name("run.h5.journal").unlink()  # as is allowed once it is complete
    assert follow(program, run, 0)[0]["state"] == "finished"
    assert json.loads(cola(program, "show", run, "--json").stdout)["journal"] is None


def test_a_running_search_is_followed_until_it_stops(program: Path, tasks: Path, tmp_path: Path) -> None:
    """Begun before there is a run.h5; killed, it is stopped and resumable; the writer is not disturbed."""
    run = tmp_path / "run.h5"
    process = long_search(program, tasks, run)
    try:
        watcher = subprocess.Popen(
            [str(program), "show", str(run), "--follow", "--json", "--interval", "0.1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(2.5)
        assert process.poll() is None
        process.send_signal(signal.SIGSTOP)  # a long evaluation: nothing grows, but the lock is there
        time.sleep(4.5)
        assert watcher.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        out, err = watcher.communicate(timeout=60)
    finally:
        process.kill()
    lines = [json.loads(line) for line in out.splitlines()]
    assert watcher.returncode == 75
    assert "stopped, resumable" in err
    running = [line for line in lines if line["locked"]]
    assert len(running) >= 5
    assert all(line["state"] == "running" for line in running)
    counts = [line["evaluations"] for line in lines if line["journal"]]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
    assert max(line["evaluations_per_s"] or 0 for line in running) > 0
    assert running[-1]["left_s"] > 0
    assert all(line["fold"] is None for line in lines)
    assert lines[-1]["state"] == "stopped"
    assert all(STAMP.fullmatch(line["time"]) for line in lines)


def test_a_stopped_search_leaves_what_the_page_says(program: Path, tasks: Path, tmp_path: Path) -> None:
    """USR1 folds; then a run that is killed has evaluations beyond that fold."""
    run = tmp_path / "run.h5"
    process = long_search(program, tasks, run)
    time.sleep(1)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(60) == 75
    page = json.loads(cola(program, "show", run, "--json").stdout)
    assert page["journal"]["beyond_this_file"] == 0
    work = ["--simulations", "1000000", "--preset", "random", "--samples", "2:5"]
    line = search_line(tasks, run, *work, "--quiet", "--resume")
    process = subprocess.Popen([str(program), *line], cwd=ROOT)
    time.sleep(3)
    text = cola(program, "show", run).stdout
    process.kill()
    process.wait()
    assert "a search writes it now" in text
    after = json.loads(cola(program, "show", run, "--json").stdout)["journal"]
    assert after["beyond_this_file"] > 0
    assert after["evaluations"] - after["beyond_this_file"] == page["journal"]["evaluations"]
    assert "nobody writes it" in cola(program, "show", run).stdout


def test_lines_for_people(program: Path, tasks: Path, tmp_path: Path) -> None:
    run = tmp_path / "run.h5"
    cola(program, *search_line(tasks, run, "--simulations", "5", "--quiet"))
    text = cola(program, "show", run, "--follow").stdout
    assert re.match(STAMP.pattern + rf" finished: {N_SAMPLES}/{N_SAMPLES} samples, 30 evaluations", text)
    assert re.search(r"found \d of 6, base right \d of 6", text)


@pytest.mark.parametrize(
    ("options", "expect", "words"),
    [
        (["run.h5", "--interval", "3"], 2, "--follow"),
        (["run.h5", "--follow", "--digest"], 2, "--digest"),
        (["no-such-directory/run.h5", "--follow"], 1, "no run can be there"),
    ],
)
def test_what_cannot_be_followed(program: Path, options: list[str], expect: int, words: str) -> None:
    assert words in cola(program, "show", *options, expect=expect).stderr


# --- events ---


def read_events(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    times = [datetime.fromisoformat(line["time"]) for line in lines]
    assert times == sorted(times)
    assert all(STAMP.fullmatch(line["time"]) for line in lines)
    assert abs((datetime.now(UTC) - times[-1]).total_seconds()) < 300
    return lines


def test_events_of_a_whole_search(program: Path, tasks: Path, tmp_path: Path) -> None:
    """They agree with run.h5, and with the summary's line of the worker."""
    run, events = tmp_path / "run.h5", tmp_path / "events.jsonl"
    options = ["--simulations", str(N_SIMULATIONS), "--events", str(events), "--events-interval", "0.01"]
    done = cola(program, *search_line(tasks, run, *options))
    page = json.loads(cola(program, "show", run, "--json").stdout)
    lines = read_events(events)
    kinds = [line["event"] for line in lines]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert kinds.count("sample") == N_SAMPLES
    assert "progress" in kinds
    start, end = lines[0], lines[-1]
    for key, value in start["fields"].items():
        assert page["attributes"][key] == value
    assert start["n_samples"] == N_SAMPLES
    for line in lines:
        if line["event"] == "sample":
            sample = page["samples"][line["sample"]]
            assert (line["id"], line["n_chains"]) == (sample["id"], sample["n_chains"])
            assert line["n_simulations"] == sample["n_simulations"] == N_SIMULATIONS
            assert line["found"] == (sample["n_hits"] > 0)
            assert line["base_right"] == (sample["base_prediction"] == sample["gold"])
    assert end["status"] == "finished"
    assert end["n_finished"] == N_SAMPLES
    assert end["evaluations_new"] == page["n_chains"]
    worker = end["workers"][0]
    assert worker["evaluations"] == end["evaluations_new"]
    assert 0 < worker["busy_s"] <= end["search_s"] + 0.1
    assert 0 < worker["layers_executed"] <= worker["layers_asked"]
    row = re.search(r"cola: +1 +([\d.]+) % +(\d+) .* (\d+) of (\d+) ", done.stderr)
    assert row
    assert int(row[2]) == worker["evaluations"]
    assert (int(row[3]), int(row[4])) == (worker["layers_executed"], worker["layers_asked"])
    assert 0 < float(row[1]) <= 101
    (stored,) = page["timing"]["workers"]
    for key in worker:
        assert stored[key] == pytest.approx(worker[key], rel=1e-7)  # events have 9 digits
    assert (stored["host"], stored["device"]) == tuple(start["workers"][0][key] for key in ("host", "device"))
    (session,) = page["timing"]["sessions"]
    assert session["search_s"] <= end["search_s"]
    assert session["evaluations"] == end["evaluations_new"]
    assert 0 < session["trees_cpu_s"] < session["master_cpu_s"] <= end["master_cpu_s"]
    assert stored["utilisation"] == pytest.approx(stored["busy_s"] / session["search_s"])


def test_events_of_a_stop_and_what_goes_on(program: Path, tasks: Path, tmp_path: Path) -> None:
    """A resumed search appends."""
    run, events = tmp_path / "run.h5", tmp_path / "events.jsonl"
    options = ["--events", str(events), "--quiet", "--preset", "random", "--simulations", "1000000"]
    cola(program, *search_line(tasks, run, "--time-limit", "0.7", *options), expect=75)
    first = read_events(events)
    assert [line["event"] for line in first if line["event"] != "progress"] == ["start", "stop", "end"]
    assert first[-1]["status"] == "stopped"
    assert "--resume" in first[-1]["message"]
    assert first[-2]["how"] == "finish what runs"
    cola(program, *search_line(tasks, run, "--time-limit", "0.7", "--resume", *options), expect=75)
    both = read_events(events)
    assert both[: len(first)] == first
    assert both[len(first)]["event"] == "start"
    assert both[len(first)]["n_resumed"] == first[-1]["evaluations_new"]


def test_events_of_a_failure(program: Path, tasks: Path, tmp_path: Path) -> None:
    """An end comes though nothing began; and a file that cannot be opened is said before anything is done."""
    run, events = tmp_path / "run.h5", tmp_path / "events.jsonl"
    line = ["search", tasks, "--model", tmp_path, "--out", run, "--events", events]
    done = cola(program, *line, expect=1)
    (end,) = read_events(events)
    assert (end["event"], end["status"]) == ("end", "failed")
    assert end["message"] in done.stderr
    done = cola(program, *search_line(tasks, run, "--events", str(tmp_path / "no" / "events")), expect=1)
    assert "--events" in done.stderr
    assert not run.exists()


def test_events_that_cannot_be_written_do_not_end_the_search(
    program: Path, tasks: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run.h5"
    done = cola(program, *search_line(tasks, run, "--simulations", "5", "--events", "/dev/full"))
    assert done.stderr.count("cannot be written") == 1
    assert run.exists()


def test_events_do_not_go_into_the_files_of_the_search(program: Path, tasks: Path, tmp_path: Path) -> None:
    """--events adds to a file that is there: never to what the search reads or writes, by whatever name."""
    run, link = tmp_path / "run.h5", tmp_path / "link"
    link.symlink_to(tasks)
    before = tasks.read_bytes()
    for events in (tasks, link, run, run.with_name("run.h5.journal")):
        done = cola(
            program, *search_line(tasks, run, "--simulations", "2", "--events", str(events)), expect=2
        )
        assert "a file of the search itself" in done.stderr
    assert tasks.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "tasks.h5"]


def test_a_reader_of_events_that_leaves_ends_no_search(program: Path, tasks: Path, tmp_path: Path) -> None:
    """As `| head -n 1` does."""
    run = tmp_path / "run.h5"
    line = [str(program), *search_line(tasks, run, "--simulations", "20", "--events", "-")]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(timeout=100) == 0, said
    assert said.count("cannot be written") == 1
    assert run.exists()


def test_what_is_no_run_is_not_waited_for(program: Path, tasks: Path, tmp_path: Path) -> None:
    """A table of `cola cross` is refused by name, any other file by what it is."""
    chains, table = tmp_path / "chains.jsonl", tmp_path / "x.h5"
    chains.write_text('{"chain": "0-3"}\n', encoding="utf-8")
    cola(program, "cross", "--tasks", tasks, "--model", TINY, "--chains", chains, "--out", table, "--quiet")
    assert "--follow is for a run" in cola(program, "show", table, "--follow", expect=2).stderr
    assert str(tasks) in cola(program, "show", tasks, "--follow", expect=1).stderr
