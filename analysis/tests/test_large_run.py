"""A file much larger than what is held of it: memory stays bounded, the synthetic file is what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from make_large_run import write

from cola_analysis import blocks
from cola_analysis.read import Run
from cola_analysis.scan import scan_run

HERE = Path(__file__).parent
PEAK = """
import sys
from cola_analysis.blocks import blocks
blocks.__defaults__ = (60_000,)  # chains of a block
from cola_analysis.read import Run
from cola_analysis.scan import scan_run
with Run.open(sys.argv[1]) as run:
    scan = scan_run(run)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(scan.n_chains, int(status["VmHWM"].split()[0]) // 1024)
"""


def peak_mib(path: Path) -> tuple[int, int]:
    """Chains and peak memory of a pass; not ru_maxrss, which is the parent's where that is larger."""
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], check=True, capture_output=True, text=True)
    chains, mib = done.stdout.split()
    return int(chains), int(mib)


@pytest.mark.parametrize("control", [False, True])
def test_the_synthetic_run_agrees_with_itself(tmp_path: Path, control: bool) -> None:
    write(tmp_path / "run.h5", n_samples=70, n_chains=50, control=control)
    with Run.open(tmp_path / "run.h5") as run:
        scan = scan_run(run)  # checks bases, rewards and predictions
        assert (len(scan.samples), scan.n_chains, scan.n_model_layers) == (70, 3500, 32)
        for block in blocks.blocks(run):
            added = block.column("edit_block").astype(int) * block.column("edit_times")
            expected = 32 - block.column("edit_block") * (block.column("edit_kind") == 1) + added
            assert (block.lengths == expected).all()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small, large = tmp_path / "small.h5", tmp_path / "large.h5"
    write(small, n_samples=500, n_chains=200, control=False)
    write(large, n_samples=2000, n_chains=200, control=False)
    n_small, mib_small = peak_mib(small)
    n_large, mib_large = peak_mib(large)
    assert (n_small, n_large) == (100_000, 400_000)
    # a block has 60,000 chains; read at once, the 300,000 chains more would take some 70 MiB
    assert mib_large - mib_small < 35, (mib_small, mib_large)
