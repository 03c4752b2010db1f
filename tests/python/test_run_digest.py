"""content_digest, computed as docs/format-run.md says by a second program: it is the stored one, and it
changes with every data set and attribute that it covers and with no other. `cola show --digest` computes it
too, and refuses what was changed."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xxhash
from conftest import ROOT
from test_bench import TINY, make_tasks

RUNS = ROOT / "tests" / "data" / "runs"
OF_FILE = ("filetype", "version", "complete", "folded_sequence", "content_digest")
"""Attributes of the file itself. Of these the digest covers none."""


def table() -> list[tuple[str, str, int]]:
    """Path, type and minor version of each data set, in the page's order."""
    found = []
    for line in (ROOT / "docs" / "format-run.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith("| `") and "/" in cells[1]:
            since = int(cells[4][8]) if cells[4].startswith("since 1.") else 0
            found.append((cells[1].strip("`"), cells[2], since))
    assert len(found) > 40
    return found


def canonical(values: Any) -> bytes:
    """Little-endian; every NaN is the quiet one with sign and payload 0."""
    values = np.array(values)
    if values.dtype.kind == "f":
        values[np.isnan(values)] = np.nan
    return values.astype(values.dtype.newbyteorder("<")).tobytes()


def digest_of(path: Path) -> str:
    """The page's section "content_digest", step by step."""
    state = xxhash.xxh3_128()

    def number(value: int) -> None:
        state.update(int(value).to_bytes(8, "little"))

    def text(value: str) -> None:
        number(len(value.encode()))
        state.update(value.encode())

    with h5py.File(path) as file:
        names = {
            name: role
            for role, keys in enumerate(("identity_keys", "grows_keys"))
            for name in str(file.attrs[keys]).split("\n")
            if name
        }
        for name in sorted(names):
            number(names[name])
            text(name)
            text(str(file.attrs[name]))
        for name, kind, since in table():
            if since > file.attrs["version"][1] or name.startswith("timing/"):
                continue
            text(name)
            text(kind)
            number(len(file[name]))
            state.update(canonical(file[name][()]))
    return f"xxh3:{state.hexdigest()}"


def shown(program: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "show", path, "--digest"], capture_output=True, text=True, timeout=60)


def seal(path: Path) -> None:
    rest = path.read_bytes()[512:]
    text = f"cola-check 1\nxxh3 {xxhash.xxh3_128(rest).hexdigest()}\nbytes {len(rest)}\n"
    path.write_bytes(text.encode().ljust(512, b"\0") + rest)


@pytest.fixture(params=["letter", "generate"])
def run_file(request: pytest.FixtureRequest, program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes: letter has scores, generate has tokens and answers."""
    directory = tmp_path_factory.mktemp(request.param)
    tasks, run = make_tasks(directory / "tasks.h5", request.param), directory / "run.h5"
    line = [program, "search", tasks, "--model", TINY, "--out", run, "--quiet"]
    for more in (["--simulations", "2"], ["--simulations", "4", "--resume"]):
        subprocess.run([*line, *more], check=True, timeout=100)
    return run


@pytest.mark.parametrize("name", ["run-1.0.h5", "run-1.1.h5"])
def test_older_files_have_the_digest_of_their_own_version(program: Path, name: str) -> None:
    with h5py.File(RUNS / name) as file:
        assert digest_of(RUNS / name) == file.attrs["content_digest"]
    assert shown(program, RUNS / name).stdout.strip() == digest_of(RUNS / name)


def changed(run_file: Path, path: Path, name: str) -> bool:
    """Changes one value of a data set in a copy; False: it has none."""
    shutil.copy(run_file, path)
    with h5py.File(path, "r+") as file:
        node = file[name]
        if len(node) == 0:
            return False
        at = len(node) // 2
        if node.dtype.kind == "f":
            node[at] = 1.5 if np.isnan(node[at]) else node[at] + 1
        else:
            node[at] ^= 1
    seal(path)
    return True


def test_every_data_set_counts_but_those_of_timing(program: Path, run_file: Path, tmp_path: Path) -> None:
    path, before = tmp_path / "changed.h5", digest_of(run_file)
    with h5py.File(run_file) as file:
        assert file.attrs["content_digest"] == before
        there: list[str] = []
        file.visititems(lambda name, node: there.append(name) if isinstance(node, h5py.Dataset) else None)
    assert sorted(there) == sorted(name for name, _, _ in table())
    n_changed = 0
    for name in there:
        if not changed(run_file, path, name):
            continue
        n_changed += 1
        is_timing = name.startswith("timing/")
        assert (digest_of(path) == before) == is_timing, name
        done = shown(program, path)
        if is_timing and not name.endswith("_offsets") and name != "timing/workers/session":
            assert done.stdout.strip() == before, name  # offsets and rows are checked otherwise
        if not is_timing:
            assert done.returncode == 1, name
            refused = "content_digest: stored" in done.stderr  # or before: offsets make another set wrong
            assert refused or ": data set " in done.stderr, (name, done.stderr)
    assert n_changed > len(there) - 12


def test_every_attribute_counts_but_provenance(program: Path, run_file: Path, tmp_path: Path) -> None:
    path, before = tmp_path / "changed.h5", digest_of(run_file)
    with h5py.File(run_file) as file:
        provenance = str(file.attrs["provenance_keys"]).split("\n")
        names = [name for name in file.attrs if name not in OF_FILE and not name.endswith("_keys")]
    assert "seed" in names
    assert "run_id" in provenance
    for name in names:
        shutil.copy(run_file, path)
        with h5py.File(path, "r+") as file:
            file.attrs[name] = str(file.attrs[name]) + "0"
        seal(path)
        assert (digest_of(path) == before) == (name in provenance), name
        done = shown(program, path)
        assert (done.returncode == 0) == (name in provenance), (name, done.stderr)
