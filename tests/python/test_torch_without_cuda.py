"""Stand-ins for CUDA libraries that are missing: a library that wants them loads, a call ends the process."""

import subprocess
import sys
from pathlib import Path

from cola_jobs import torch_without_cuda

BLAS = "int cublasCreate(void) { return 7; }"
TORCH = "int cublasCreate(void); int call(void) { return cublasCreate(); } int other(void) { return 3; }"


def compile_library(path: Path, source: str, *options: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-x", "none", "-o", str(path), *options]
    subprocess.run(command, input=source, text=True, check=True)


def make_torch(tmp_path: Path) -> Path:
    """A library in torch/lib that is linked against a versioned libcublas.so.13, which is then taken away."""
    blas, torch = tmp_path / "gone" / "libcublas.so.13", tmp_path / "torch" / "lib" / "libtorch_cuda.so"
    blas.parent.mkdir()
    version = blas.parent / "version.map"
    version.write_text("libcublas.so.13 { global: cublasCreate; };\n")
    compile_library(blas, BLAS, "-Wl,-soname,libcublas.so.13", f"-Wl,--version-script={version}")
    compile_library(torch, TORCH, str(blas), "-Wl,-rpath,$ORIGIN/../../nvidia/cu/lib:$ORIGIN")
    return torch


def call(library: Path, function: str) -> "subprocess.CompletedProcess[str]":
    code = f"import ctypes, os; print(ctypes.CDLL({str(library)!r}, os.RTLD_NOW).{function}())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_library_that_wants_cuda_loads_with_stand_ins(tmp_path: Path) -> None:
    torch = make_torch(tmp_path)
    (tmp_path / "gone" / "libcublas.so.13").unlink()
    assert "libcublas.so.13" in call(torch, "other").stderr  # does not load without
    assert torch_without_cuda.main(str(tmp_path)) == 0
    assert call(torch, "other").stdout == "3\n"
    stub = torch.parent / torch_without_cuda.STUB
    symbols = subprocess.check_output(["nm", "-D", "--with-symbol-versions", str(stub)], text=True)
    assert "cublasCreate@@libcublas.so.13" in symbols
    called = call(torch, "call")
    assert called.returncode < 0
    assert "runs on the CPU only" in called.stderr


def test_a_real_library_is_left_alone_and_wins_over_a_stand_in(tmp_path: Path) -> None:
    torch = make_torch(tmp_path)
    real = tmp_path / "nvidia" / "cu" / "lib" / "libcublas.so.13"
    real.parent.mkdir(parents=True)
    (tmp_path / "gone" / "libcublas.so.13").rename(real)
    assert torch_without_cuda.main(str(tmp_path)) == 0
    assert [p.name for p in torch.parent.iterdir()] == ["libtorch_cuda.so"]
    hidden = real.rename(tmp_path / "hidden")
    assert torch_without_cuda.main(str(tmp_path)) == 0
    assert torch_without_cuda.main(str(tmp_path)) == 0  # a second time nothing is missing
    hidden.rename(real)
    assert call(torch, "call").stdout == "7\n"


def test_a_folder_without_torch_is_refused(tmp_path: Path) -> None:
    assert torch_without_cuda.main(str(tmp_path)) == 1
