"""jobs/findings.sh: all its parts on few questions; the finished is not made again, the killed goes on."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

SIZE = ("--easy", "3", "--challenge", "0", "--simulations", "4", "--top", "2", "--ranks", "1")


def words(program: Path, model: Path, out: Path, *more: str) -> list[str]:
    common = (ROOT / "jobs" / "findings.sh", "--cola", program, "--model", model, "--out", out, *SIZE, *more)
    return [str(word) for word in common]


def run(program: Path, model: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words(program, model, out, *more), capture_output=True, text=True, timeout=300)


def killed_in(part: str, program: Path, model: Path, out: Path) -> None:
    """Starts it in a session of its own and kills all of that once the part's journal has something."""
    process = subprocess.Popen(
        words(program, model, out),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    journal = out / f"{part}.h5.journal"
    for _ in range(2400):
        if journal.exists() and journal.stat().st_size > 1000:
            break
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_all_parts_are_made_and_made_once(program: Path, model: Path, tmp_path: Path) -> None:
    if not (ROOT / ".venv" / "bin" / "cola-chains").exists():
        pytest.skip("no .venv/bin/cola-chains: jobs/setup.sh")
    out = tmp_path / "findings"
    killed_in("arc_easy-both", program, model, out)
    assert not (out / "done" / "arc_easy-both").exists()
    done = run(program, model, out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arc_easy-tasks: done before" in done.stdout and f"file://{out}/report.html" in done.stdout
    tables = {path.stem: pd.read_csv(path) for path in (out / "findings" / "tables").glob("*.csv")}
    assert {"base", "skip only", "recurrence only", "both"} == set(tables["table1"]["column"])
    assert (tables["table1"]["n"] == 3).all() and tables["table1"]["control_n"].max() == 3
    held = tables["robustness"]
    assert (held["n"] == held["n_found"]).all(), "every found chain was asked in other words"
    assert set(tables["coverage"]["preset"]) == {"cross"}
    figures = {path.stem for path in (out / "findings" / "figures").iterdir()}
    assert {"table1", "depths", "transitions", "robustness", "coverage"} <= figures
    assert (out / "report.html").stat().st_size > 100_000
    runs = {path: path.stat().st_mtime_ns for path in out.glob("*.h5")}
    again = run(program, model, out)
    assert again.returncode == 0 and again.stdout.count("done before") == 9
    assert runs == {path: path.stat().st_mtime_ns for path in out.glob("*.h5")}
    other = run(program, model, out, "--simulations", "5")
    assert other.returncode == 1 and "was made with other settings" in other.stderr


def test_help_and_wrong_words(program: Path, model: Path, tmp_path: Path) -> None:
    assert "--quick" in run(program, model, tmp_path / "x", "--help").stdout
    assert run(program, model, tmp_path / "x", "--dtype", "f64").returncode == 1
    assert run(program, model, tmp_path / "x", "--nonsense").returncode == 2
    assert not (tmp_path / "x").exists()
