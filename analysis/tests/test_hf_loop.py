"""cola-hf-loop against transformers itself, against a recomputation without cache, and against stored values.

Runs where torch is installed (jobs/setup.sh compare); the models are the tiny ones of tests/data.
"""

from __future__ import annotations

import io
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (jobs/setup.sh compare)")

from safetensors.torch import load_file  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

from cola_analysis import hf_loop  # noqa: E402
from cola_analysis.hf_model import ATTENTION, ChainModel, ModelError  # noqa: E402
from cola_analysis.hf_requests import Answer, Request  # noqa: E402

# One thread: these models are tiny, and two that wait for each other on a busy machine take minutes.
torch.set_num_threads(1)

MODELS = Path(__file__).resolve().parents[2] / "tests" / "data" / "models"
NAMES = sorted(path.name for path in MODELS.iterdir())
PROMPT = [22, 54, 219, 16, 215, 47, 196, 176, 22, 59, 312, 130]
CHAINS = [[0, 1, 3, 4, 5], [0, 1, 2, 1, 2, 3, 4, 5], [0, 0, 0], [5, 3, 1, 3, 5, 0, 2], [4]]
# Ten models, 40 cases each: at most 2.7e-5 between sdpa and stored values of eager attention.
TOLERANCE = 1e-4


@cache
def opened(name: str, attention: str = "sdpa") -> ChainModel:
    model = ChainModel(MODELS / name, "f32", attention)
    if name == "llama_sharded_bf16_v4":  # its values were computed with rounded frequencies: test_goldens.c
        rotary = model.model.model.rotary_emb
        rotary.inv_freq = rotary.inv_freq.bfloat16().float()
    return model


@cache
def of_transformers(name: str) -> Any:
    return AutoModelForCausalLM.from_pretrained(MODELS / name, dtype=torch.float32).eval()


def answer(model: ChainModel, score: str, chain: list[int], **members: Any) -> Answer:
    request = Request(score, chain, members.pop("prompt", PROMPT), **members)
    result, seconds = model.evaluate(request)
    assert 0 < seconds < 60
    return result


@torch.inference_mode()
def logits_by_hand(name: str, chain: list[int], tokens: list[int]) -> Any:
    """Logits of all rows [tokens, vocabulary]: the layers one after the other, without any cache."""
    model = of_transformers(name)
    hidden = model.model.embed_tokens(torch.tensor([tokens]))
    embeddings = model.model.rotary_emb(hidden, position_ids=torch.arange(len(tokens))[None])
    for layer in chain:
        hidden = model.model.layers[layer](hidden, position_embeddings=embeddings, attention_mask=None)
    return model.lm_head(model.model.norm(hidden))[0]


@pytest.mark.parametrize("name", ["llama_gqa_tied", "qwen3"])
@pytest.mark.parametrize("attention", ATTENTION)
def test_the_base_chain_is_the_models_own_forward_and_generate(name: str, attention: str) -> None:
    model, theirs = opened(name, attention), of_transformers(name)
    base = list(range(model.n_layers))
    with torch.inference_mode():
        row = theirs(torch.tensor([PROMPT])).logits[0, -1]
        generated = theirs.generate(
            torch.tensor([PROMPT]),
            attention_mask=torch.ones(1, len(PROMPT), dtype=torch.long),
            max_new_tokens=12,
            do_sample=False,
            eos_token_id=None,
        )[0, len(PROMPT) :].tolist()
    ours = answer(model, "next", base, tokens=list(range(len(row))))
    assert ours.logits == pytest.approx(row.tolist(), abs=TOLERANCE)
    assert ours.argmax == int(row.argmax())
    assert ours.logsumexp == pytest.approx(row.logsumexp(0).item(), abs=TOLERANCE)
    assert answer(model, "generate", base, max_new_tokens=12).tokens == generated


@pytest.mark.parametrize("name", ["llama_gqa_tied", "qwen3"])
@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_a_chain_is_its_layers_one_after_the_other(name: str, chain: list[int]) -> None:
    model = opened(name)
    rows = logits_by_hand(name, chain, PROMPT)
    ours = answer(model, "next", chain, tokens=list(range(rows.shape[1])))
    assert ours.logits == pytest.approx(rows[-1].tolist(), abs=TOLERANCE)
    continuations = [[63, 13, 126], [24], [264], [24, 280, 192, 1, 2]]
    expected = []
    for tokens in continuations:
        logprob = logits_by_hand(name, chain, PROMPT + tokens).log_softmax(-1)
        scored = range(len(PROMPT) - 1, len(PROMPT) - 1 + len(tokens))
        expected.append(sum(float(logprob[at, t]) for at, t in zip(scored, tokens, strict=True)))
    ours = answer(model, "loglik", chain, continuations=continuations)
    assert ours.logprob == pytest.approx(expected, abs=TOLERANCE)


def greedy_by_hand(name: str, chain: list[int], n: int) -> list[int]:
    tokens = list(PROMPT)
    for _ in range(n):
        tokens.append(int(logits_by_hand(name, chain, tokens)[-1].argmax()))
    return tokens[len(PROMPT) :]


@pytest.mark.parametrize("name", ["llama_gqa_tied", "qwen3"])
@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_generation_with_the_cache_is_that_without(name: str, chain: list[int]) -> None:
    assert answer(opened(name), "generate", chain, max_new_tokens=10).tokens == greedy_by_hand(
        name, chain, 10
    )


def test_one_cache_place_for_both_passes_of_a_layer_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ChainModel(MODELS / "llama_gqa_tied", "f32", "eager")
    monkeypatch.setattr(model, "_view", lambda layer, position: model.layers[layer])
    expected = greedy_by_hand("llama_gqa_tied", [0, 1, 2, 3, 4, 5], 10)
    assert answer(model, "generate", [0, 1, 2, 3, 4, 5], max_new_tokens=10).tokens == expected
    chain = [0, 1, 2, 1, 2, 3, 4, 5]
    expected = greedy_by_hand("llama_gqa_tied", chain, 10)
    try:
        wrong = answer(model, "generate", chain, max_new_tokens=10).tokens
    except RuntimeError:  # the mask does not fit the keys of two passes
        return
    assert wrong != expected


def test_generation_ends_with_the_first_stop_token() -> None:
    model, chain = opened("llama_gqa_tied"), [0, 1, 1, 2, 3]
    full = answer(model, "generate", chain, max_new_tokens=10).tokens
    assert full is not None and len(full) == 10
    stop = full[4]
    end = full.index(stop) + 1
    ours = answer(model, "generate", chain, max_new_tokens=10, stop=frozenset([319, stop]))
    assert ours.tokens == full[:end]


def test_neighbours_of_other_lengths_change_no_log_probability() -> None:
    model, chain = opened("llama_gqa_tied"), [0, 1, 1, 2, 3]
    together = [[5], [6], [7, 8, 9], [5]]
    alone = [answer(model, "loglik", chain, continuations=[c]).logprob for c in together]
    ours = answer(model, "loglik", chain, continuations=together).logprob
    assert ours == pytest.approx([value for row in alone if row for value in row], abs=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_stored_values_of_transformers_are_met(name: str) -> None:
    model = opened(name)
    stored = json.loads((MODELS / name / "cases.json").read_text())
    expected = load_file(MODELS / name / "expected.safetensors")
    vocabulary = list(range(model.config.vocab_size))
    n_greedy = 0
    for case in stored["cases"]:
        prompt, continuations = (stored[key][case["prompt"]] for key in ("prompts", "continuations"))
        ours = answer(model, "next", case["chain"], prompt=prompt, tokens=vocabulary)
        row = expected[f"{case['key']}_last_logits"].flatten().tolist()
        assert ours.logits == pytest.approx(row, abs=TOLERANCE), case["key"]
        ours = answer(model, "loglik", case["chain"], prompt=prompt, continuations=continuations)
        assert ours.logprob == pytest.approx(case["continuation_logprob"], abs=TOLERANCE), case["key"]
        if case["greedy"] and min(case["greedy_gaps"]) > TOLERANCE:
            n_greedy += 1
            ours = answer(
                model, "generate", case["chain"], prompt=prompt, max_new_tokens=6, stop=frozenset([2])
            )
            assert ours.tokens == case["greedy"], case["key"]
    assert len(stored["cases"]) == 40
    assert n_greedy >= 10


def test_weights_are_shared_not_copied() -> None:
    model = opened("llama_gqa_tied")
    model.set_chain([1, 1])
    first, second = model.model.model.layers
    assert first is not second
    assert first.self_attn.k_proj.weight.data_ptr() == second.self_attn.k_proj.weight.data_ptr()
    assert [layer.self_attn.layer_idx for layer in (first, second)] == [0, 1]


def test_a_non_finite_logit_is_an_outcome() -> None:
    model = ChainModel(MODELS / "llama_gqa_tied", "f32", "sdpa")
    model.layers[1].mlp.down_proj.weight.data.fill_(float("nan"))
    for score, members in (
        ("next", {"tokens": [1]}),
        ("loglik", {"continuations": [[1]]}),
        ("generate", {"max_new_tokens": 3}),
    ):
        ours = answer(model, score, [0, 1], **members)
        assert ours.members()["outcome"] == "non-finite"
        assert "outcome" not in answer(model, score, [0, 2], **members).members()


def test_bf16_computes_in_bf16_and_comes_near() -> None:
    exact, rough = opened("llama_gqa_tied"), ChainModel(MODELS / "llama_gqa_tied", "bf16", "sdpa")
    assert {p.dtype for p in rough.model.parameters()} == {torch.bfloat16}
    chain, tokens = [0, 1, 1, 2, 3], list(range(320))
    a, b = (answer(m, "next", chain, tokens=tokens).logits for m in (exact, rough))
    assert a is not None and b is not None
    furthest = max(abs(x - y) for x, y in zip(a, b, strict=True))
    assert 1e-3 < furthest < 0.5  # seen: 0.05; a swapped layer gives 2


def test_a_window_and_a_folder_without_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no config"):
        ChainModel(tmp_path)
    for item in (MODELS / "mistral").iterdir():
        (tmp_path / item.name).write_bytes(item.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "sliding_window": 4}))
    with pytest.raises(ModelError, match="sliding_window"):
        ChainModel(tmp_path)


def loop(
    lines: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, list[dict[str, Any]]]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    status = hf_loop.main(["--model", str(MODELS / "llama_gqa_tied"), "--threads", "1", *options])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_command_answers_each_line_in_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    member = {"chain": "0-1,(2)x2,3", "prompt": PROMPT}
    lines = [
        {"id": "a", **member, "score": "next", "tokens": [3, 4]},
        {"id": [1], **member, "score": "loglik", "continuations": [[3], [4, 5]]},
        "",
        {"id": 2, **member, "score": "generate", "max_new_tokens": 3, "stop": []},
        {"id": 3, "command": "info"},
        {"command": "peak", "rows": 4},
    ]
    status, answers = loop(lines, monkeypatch, capsys, "--attention", "eager")
    assert status == 0
    assert [sorted(a) for a in answers[:3]] == [
        ["argmax", "id", "logits", "logsumexp", "seconds"],
        ["id", "logprob", "seconds"],
        ["id", "seconds", "tokens"],
    ]
    assert [a.get("id") for a in answers] == ["a", [1], 2, 3, None]
    assert all(0 < a["seconds"] < 60 for a in answers[:3])
    model = opened("llama_gqa_tied", "eager")
    assert answers[2]["tokens"] == answer(model, "generate", [0, 1, 2, 2, 3], max_new_tokens=3).tokens
    info, peak = answers[3:]
    assert (info["threads"], info["attention"], info["dtype"], info["n_layers"]) == (1, "eager", "f32", 6)
    assert info["torch"] == torch.__version__
    assert peak["gflops"] > 0 and peak["gflops_square"] > peak["gflops"] / 10
    assert [160, 64] in peak["matrices"]


def test_a_bad_line_is_answered_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"chain": [0], "prompt": [1], "score": "next", "tokens": [3]}
    lines = ["no", {"id": 1, **good, "chain": "6"}, {"id": 2, **good, "prompt": [320]}, {"command": "stop"}]
    lines += [{"command": "info", "rows": 1}, {"id": 9, **good}]
    status, answers = loop(lines, monkeypatch, capsys, "--attention", "sdpa")
    assert status == 1
    assert ["error" in a for a in answers] == [True] * 5 + [False]
    assert answers[2] == {"id": 2, "error": "token 320, the model's tokens are 0 .. 319"}


def test_auto_takes_the_attention_that_was_faster(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, (info,) = loop([{"command": "info"}], monkeypatch, capsys)
    seconds = info["attention_seconds"]
    assert sorted(seconds) == sorted(ATTENTION)
    assert info["attention"] == min(seconds, key=seconds.get)
