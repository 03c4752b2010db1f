"""Tasks of generate: prompts as transformers makes them, the limits and end tokens of an answer, one
candidate that is the right answer, and a vocabulary in which special tokens stand for nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import prepare
import pytest
from cola_jobs.text_encoder import TextEncoder
from conftest import DATA, ROOT, File, WriteRows, read_rows, row, small_model

TASK_OF = {"ARC-Easy": "arc_easy", "Mercury": "arc_challenge", "MATH": "dart_math"}


@pytest.fixture(scope="session")
def golden_texts() -> dict[str, str]:
    """The texts behind the token ids of cases.json, by "KIND ID"."""
    content = json.loads((ROOT / "tests/data/smollm2/cases.json").read_text(encoding="utf-8"))
    return content["prompts_text"]["text"]


def test_texts_and_token_ids_are_those_of_transformers(
    run: Callable[..., File], cases: list[dict[str, Any]], golden_texts: dict[str, str], model: Path
) -> None:
    encoder = TextEncoder(model)
    wanted = {f"{case['kind']} {case['id']}": case["prompt"] for case in cases}
    assert wanted.keys() == golden_texts.keys()
    assert len(wanted) == 18
    made: dict[str, list[int]] = {}
    for task, score in [(t, s) for t in ("arc_easy", "arc_challenge") for s in ("loglik", "letter")] + [
        ("dart_math", "generate")
    ]:
        file = run(DATA / f"{task}.jsonl", "--limit", "8", task=task, score=score)
        for row_id, prompt in zip(file.texts("samples/id"), file.ragged("samples/prompt"), strict=True):
            made[f"{score} {row_id}"] = prompt.tolist()
    for name, text in golden_texts.items():
        chat = not name.startswith("loglik")
        assert encoder.encode(encoder.chat(text) if chat else text, chat) == wanted[name], name
        assert made[name] == wanted[name], name


def test_a_mathematics_problem_has_one_candidate_its_answer(run: Callable[..., File]) -> None:
    file = run(DATA / "dart_math.jsonl", task="dart_math", score="generate")
    content = read_rows("dart_math")
    assert file.texts("texts/choice") == [entry["gt_ans"] for entry in content]
    assert file.data["samples/candidate_offsets"].tolist() == list(range(len(content) + 1))
    assert not file.data["samples/gold"].any()
    assert file.data["candidates/token_values"].size == 0
    attributes = file.attributes
    assert (attributes["score"], attributes["grader"]) == ("generate", "boxed")
    assert (attributes["max_new_tokens"], attributes["stop_tokens"].tolist()) == (50, [2])


def test_multiple_choice_by_generation_has_the_choices_as_candidates(run: Callable[..., File]) -> None:
    by_generation = run(DATA / "arc_easy.jsonl", "--limit", "20", score="generate")
    by_letter = run(DATA / "arc_easy.jsonl", "--limit", "20", score="letter")
    for name in (
        "samples/gold",
        "samples/candidate_offsets",
        "texts/choice_values",
        "candidates/label_values",
    ):
        assert (by_generation.data[name] == by_letter.data[name]).all(), name
    assert (by_generation.data["samples/prompt_values"] == by_letter.data["samples/prompt_values"]).all()
    assert by_generation.attributes["grader"] == "letter"
    assert by_generation.attributes["max_new_tokens"] == 10


def test_a_base_model_gets_the_plain_prompt(run: Callable[..., File], base_model: Path) -> None:
    file = run(DATA / "dart_math.jsonl", "--limit", "1", task="dart_math", score="generate", model=base_model)
    text = f"Question: {read_rows('dart_math')[0]['query']}\nPut the final answer in \\boxed{{}}.\nAnswer:"
    assert file.decode(file.ragged("samples/prompt")[0]) == text
    assert file.attributes["x_template"] == "plain"


def test_max_new_tokens_can_be_asked_for_and_is_part_of_the_fingerprint(run: Callable[..., File]) -> None:
    files = [
        run(DATA / "gsm8k.jsonl", "--limit", "2", *options, task="gsm8k", score="generate")
        for options in ((), ("--max-new-tokens", "7"), ("--template", "short"))
    ]
    assert [file.attributes["max_new_tokens"] for file in files] == [256, 7, 6]
    assert len({file.attributes["template_fingerprint"] for file in files}) == 3


@pytest.mark.parametrize("n", ["0", "-1", "x", "2147483648"])
def test_max_new_tokens_below_one_is_refused(n: str) -> None:
    arguments = ["--model", "m", "--task", "gsm8k", "--rows", "r", "--out", "o", "--max-new-tokens", n]
    with pytest.raises(SystemExit, match="2"):
        prepare.main(arguments)


@pytest.mark.parametrize(
    ("generation", "config", "tokenizer_end", "ends"),
    [
        ({"eos_token_id": 7}, {"eos_token_id": 9}, None, [7]),
        ({"eos_token_id": [9, 7]}, {}, None, [7, 9]),
        ({"eos_token_id": [9, 7]}, {}, "<s>", [0, 7, 9]),
        ({}, {"eos_token_id": [5]}, None, [5]),
        (None, {"eos_token_id": 5}, "<s>", [0, 5]),
        (None, None, "<s>", [0]),
        (None, {"eos_token_id": None}, None, []),
    ],
)
def test_end_tokens_are_the_models_and_the_tokenizers(
    tmp_path: Path,
    generation: dict[str, Any] | None,
    config: dict[str, Any] | None,
    tokenizer_end: str | None,
    ends: list[int],
) -> None:
    directory = small_model(tmp_path / "m", {"eos_token": tokenizer_end} if tokenizer_end else {})
    encoder = TextEncoder(directory)
    for name, content in (("generation_config.json", generation), ("config.json", config)):
        if content is not None:
            (directory / name).write_text(json.dumps(content))
    assert encoder.stop_tokens() == ends


@pytest.mark.parametrize("content", ['{"eos_token_id": "2"}', '{"eos_token_id": [-1]}', "[]", "{"])
def test_an_end_token_that_is_none_is_named(
    model: Path, tmp_path: Path, base_model: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (base_model / "generation_config.json").write_text(content)
    arguments = ["--model", str(base_model), "--task", "gsm8k", "--rows", str(DATA / "gsm8k.jsonl")]
    assert prepare.main([*arguments, "--out", str(tmp_path / "t.h5")]) == 1
    assert "generation_config.json" in capsys.readouterr().err


def test_special_tokens_stand_for_nothing_in_an_answer(run: Callable[..., File], model: Path) -> None:
    content = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    special = [entry["id"] for entry in content["added_tokens"] if entry["special"]]
    assert len(special) > 2
    graded = run(DATA / "gsm8k.jsonl", "--limit", "1", task="gsm8k", score="generate").token_bytes()
    shown = run(DATA / "arc_easy.jsonl", "--limit", "1").token_bytes()
    assert shown[2] == b"<|im_end|>"
    for token, (in_answer, in_prompt) in enumerate(zip(graded, shown, strict=True)):
        assert in_answer == (b"" if token in special else in_prompt), token


def test_a_tokenizer_that_cannot_be_decoded_is_refused(
    tmp_path: Path, write_rows: WriteRows, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = small_model(tmp_path / "m", {})
    arguments = ["--model", str(directory), "--task", "arc_easy", "--rows", str(write_rows([row()]))]
    assert prepare.main([*arguments, "--score", "generate", "--out", str(tmp_path / "t.h5")]) == 1
    assert "cannot be decoded and graded" in capsys.readouterr().err
