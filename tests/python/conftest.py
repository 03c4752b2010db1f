"""Fixtures for the tests of jobs/: its modules, the demo's model, and values from other implementations."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "jobs"))

MODEL = ROOT / "models" / "SmolLM2-135M-Instruct"
DATA = ROOT / "jobs" / "data"


def read_rows(name: str) -> list[dict[str, Any]]:
    lines = (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def model() -> Path:
    """The demo's model directory, fetched if it is not there."""
    script = ROOT / "jobs" / "fetch_model.py"
    subprocess.run([sys.executable, str(script), "--out", str(MODEL)], check=True)
    return MODEL


@pytest.fixture(scope="session")
def cases() -> list[dict[str, Any]]:
    """Prompts, continuations and letters that transformers made with its own copy of the tokenizer."""
    path = ROOT / "tests" / "data" / "smollm2" / "cases.json"
    return json.loads(path.read_text(encoding="utf-8"))["cases"]


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[[list[Any]], Path]:
    """Writes rows (or raw lines) into a file of JSON lines."""

    def write(rows: list[Any]) -> Path:
        path = tmp_path / "rows.jsonl"
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    return write
