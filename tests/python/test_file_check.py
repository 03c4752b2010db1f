"""The check in the first block of tasks.h5 and run.h5: what prepare.py and the program write agrees with the
pages' recipe, other programs read such files, and the program refuses damaged ones by name."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
import xxhash
from cola_jobs import tasks_h5
from conftest import ROOT

sys.path.insert(0, str(ROOT / "analysis" / "src"))
from cola_analysis.file_check import damage
from cola_analysis.read import Run, RunError

SAMPLES = [
    tasks_h5.Sample(
        f"q{i}",
        [1, 2 + i],
        [tasks_h5.Candidate([10 + c + i], "ABC"[c], f"choice {c}") for c in range(3)],
        i % 3,
        "Which?",
    )
    for i in range(2)
]


def block_of(rest: bytes) -> bytes:
    text = f"cola-check 1\nxxh3 {xxhash.xxh3_128(rest).hexdigest()}\nbytes {len(rest)}\n"
    return text.encode().ljust(512, b"\0")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.h5"
    fingerprints = dict.fromkeys(("tokenizer", "template", "data"), "")
    tasks_h5.write(path, tasks_h5.Tasks("small", "none", "loglik", "test", SAMPLES, fingerprints))
    assert [entry.name for entry in tmp_path.iterdir()] == ["tasks.h5"]
    return path


def search(program: Path, tasks: Path, *options: str) -> subprocess.CompletedProcess[str]:
    model = ROOT / "tests" / "data" / "models" / "llama_gqa_tied"
    command = [program, "search", tasks, "--model", model, "--simulations", "4", "--threads", "1", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.fixture
def run_file(program: Path, tasks: Path) -> Path:
    path = tasks.with_name("run.h5")
    done = search(program, tasks, "--out", str(path), "--quiet")
    assert done.returncode == 0, done.stderr
    return path


def assert_opens_everywhere(path: Path, member: str) -> None:
    data = path.read_bytes()
    assert data[:512] == block_of(data[512:])
    with h5py.File(path) as file:
        assert file.userblock_size == 512
        assert len(file[member]) == 2
    if shutil.which("h5dump"):
        dump = subprocess.run(["h5dump", "-d", member, path], capture_output=True, text=True)
        assert dump.returncode == 0
        assert "(0):" in dump.stdout


def test_prepared_tasks_have_the_block_and_open_everywhere(tasks: Path) -> None:
    assert_opens_everywhere(tasks, "samples/gold")
    assert damage(str(tasks)) is None


def test_a_run_has_the_block_and_opens_everywhere(run_file: Path) -> None:
    assert_opens_everywhere(run_file, "samples/index")
    with Run.open(run_file) as run:
        assert len(run.samples) == 2


def test_the_program_takes_tasks_with_and_without_a_block(program: Path, tasks: Path) -> None:
    plain = tasks.with_name("plain.h5")
    plain.write_bytes(tasks.read_bytes()[512:])
    infos = [
        subprocess.run([program, "info", path], capture_output=True, text=True) for path in (tasks, plain)
    ]
    assert [info.returncode for info in infos] == [0, 0]
    prints = [re.findall(r"xxh3:[0-9a-f]{32}", info.stdout) for info in infos]
    assert prints[0] == prints[1] != []


def assert_refused(command: list[str | Path], path: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1, (command, done)
    assert str(path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_damage_is_refused_by_name(program: Path, tasks: Path, run_file: Path) -> None:
    for path, command in ((tasks, "info"), (run_file, "show"), (run_file, "info")):
        data = path.read_bytes()
        for at in range(0, len(data), len(data) // 40):
            changed = bytearray(data)
            changed[at] ^= 1 << at % 8
            path.write_bytes(changed)
            assert_refused([program, command, path], path)
            assert damage(str(path)) is not None
            path.write_bytes(data[:at])
            assert_refused([program, command, path], path)
            assert damage(str(path)) is not None
        path.write_bytes(data)
        assert subprocess.run([program, command, path], capture_output=True).returncode == 0


def test_analysis_refuses_damage_by_name(run_file: Path) -> None:
    data = bytearray(run_file.read_bytes())
    data[len(data) // 2] ^= 4
    run_file.write_bytes(data)
    with pytest.raises(RunError, match=re.escape(f"{run_file}: damaged, changed or cut short")):
        Run.open(run_file)


def test_resume_writes_a_damaged_run_anew(program: Path, tasks: Path, run_file: Path) -> None:
    def digest() -> str:
        command = [program, "show", run_file, "--digest"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    before = digest()
    data = bytearray(run_file.read_bytes())
    data[600] ^= 255
    run_file.write_bytes(data)
    done = search(program, tasks, "--out", str(run_file), "--resume")
    assert done.returncode == 0, done.stderr
    assert "written anew from the journal" in done.stderr
    assert digest() == before


def test_a_wrong_memo_leaves_the_way_free(program: Path, tasks: Path, run_file: Path) -> None:
    out = tasks.with_name("second.h5")
    done = search(program, tasks, "--out", str(out), "--memo", str(tasks.with_name("none.h5")))
    assert done.returncode == 1
    assert "none.h5" in done.stderr
    assert not out.exists() and not out.with_name("second.h5.journal").exists()
    done = search(program, tasks, "--out", str(out), "--memo", str(run_file))
    assert done.returncode == 0, done.stderr
