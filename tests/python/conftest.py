"""Fixtures for the tests of jobs/: its modules, the demo's model, values from other implementations, and a
reader of tasks.h5."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "jobs"))

MODEL = ROOT / "models" / "SmolLM2-135M-Instruct"
DATA = ROOT / "jobs" / "data"
BENCHMARKS = ROOT / "tests" / "data" / "benchmarks"
WriteRows = Callable[[list[Any]], Path]


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


class File:
    """A tasks.h5, read the way its page describes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with h5py.File(path) as file:
            self.attributes = dict(file.attrs)
            self.data: dict[str, np.ndarray] = {}
            file.visititems(lambda name, item: self._keep(name, item))

    def _keep(self, name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            self.data[name] = item[()]

    def ragged(self, name: str) -> list[np.ndarray]:
        values, offsets = self.data[f"{name}_values"], self.data[f"{name}_offsets"]
        return [values[a:b] for a, b in pairwise(offsets)]

    def token_bytes(self) -> list[bytes]:
        values, offsets = self.data["vocabulary/values"], self.data["vocabulary/offsets"]
        return [bytes(values[a:b]) for a, b in pairwise(offsets)]

    def decode(self, tokens: Sequence[int]) -> str:
        vocabulary = self.token_bytes()
        return b"".join(vocabulary[token] for token in tokens).decode()

    def texts(self, name: str) -> list[str]:
        return [bytes(row).decode() for row in self.ragged(name)]

    def per_sample(self, column: list[Any]) -> list[list[Any]]:
        offsets = self.data["samples/candidate_offsets"]
        return [list(column[a:b]) for a, b in pairwise(offsets)]

    def candidate_tokens(self) -> list[list[list[int]]]:
        return self.per_sample([row.tolist() for row in self.ragged("candidates/token")])


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Callable[..., File]:
    """Runs prepare.py's main and reads what it wrote."""
    import prepare

    def run(
        rows: Path | str | list[Path],
        *options: str,
        task: str = "arc_easy",
        score: str = "loglik",
        model: Path = model,
    ) -> File:
        out = tmp_path / "out" / f"{score}.h5"
        sources = [str(source) for source in rows] if isinstance(rows, list) else [str(rows)]
        arguments = ["--model", str(model), "--task", task, "--rows", *sources, "--out", str(out)]
        assert prepare.main([*arguments, "--score", score, *options]) == 0
        return File(out)

    return run


@pytest.fixture
def base_model(model: Path, tmp_path: Path) -> Path:
    """The demo's tokenizer without its chat template."""
    directory = tmp_path / "base"
    directory.mkdir()
    for name in ("tokenizer.json", "config.json", "generation_config.json", "special_tokens_map.json"):
        shutil.copy(model / name, directory)
    config = json.loads((model / "tokenizer_config.json").read_text())
    del config["chat_template"]
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


@pytest.fixture
def program() -> Path:
    """The built program; COLA_PROGRAM names another one, e.g. of the sanitizers' build."""
    programs = [ROOT / "build" / preset / "cola" for preset in ("tests", "release")]
    if "COLA_PROGRAM" in os.environ:
        programs = [Path(os.environ["COLA_PROGRAM"]).resolve()]
    found = next((path for path in programs if path.exists()), None)
    if found is None:
        pytest.skip("neither build/tests/cola nor build/release/cola is built")
    return found


def row(**changes: Any) -> dict[str, Any]:
    good = {
        "id": "q1",
        "question": "Which is a metal?",
        "choices": {"text": ["iron", "salt", "wood", "air"], "label": ["A", "B", "C", "D"]},
        "answerKey": "A",
    }
    return good | changes


def choices(labels: list[Any], texts: list[Any] | None = None) -> dict[str, Any]:
    return {"text": texts or [f"choice {i}" for i in range(len(labels))], "label": labels}


def small_model(directory: Path, config: dict[str, Any]) -> Path:
    """A tokenizer of words that puts <s> before every text, as Llama's does."""
    tokenizer = Tokenizer(models.WordLevel({"<s>": 0, "<unk>": 1, "iron": 2, "salt": 3}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    directory.mkdir()
    tokenizer.save(str(directory / "tokenizer.json"))
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "unk_token": "<unk>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(named | config))
    return directory
