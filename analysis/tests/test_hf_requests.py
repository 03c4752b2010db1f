"""Requests of cola-hf-loop: chains, members and answers as `cola eval` has them. Needs no torch."""

import json
from pathlib import Path

import pytest

from cola_analysis import hf_loop
from cola_analysis.hf_requests import (
    Answer,
    RequestError,
    check_vocabulary,
    decode_line,
    parse_chain,
    parse_request,
)

NEXT = {"chain": [0, 1], "prompt": [5], "score": "next", "tokens": [1]}


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("0-4", [0, 1, 2, 3, 4]),
        ("7", [7]),
        ("0-1,3,(4-5)x2", [0, 1, 3, 4, 5, 4, 5]),
        (" 2 , ( 0-1 , (3)x2 )x2 , 1 ", [2, 0, 1, 3, 3, 0, 1, 3, 3, 1]),
        ("(1)x1", [1]),
        ("9-9,0", [9, 0]),
        ("(0-9)x4", list(range(10)) * 4),
    ],
)
def test_chain_text(text: str, layers: list[int]) -> None:
    assert parse_chain(text, 10) == layers


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the end at character 1"),
        ("0,", "the end at character 3"),
        ("0-10", "layer 10, the model's layers are 0 .. 9"),
        ("4-2", "descends"),
        ("(0-1)", r"expected '\)x' and the number"),
        ("(0-1)x0", "0 passes"),
        ("(0-9)x5", "longer than 40"),
        ("(0-9)x999999999", "longer than 40"),
        ("0 1", "'1' at character 3"),
        ("0;1", "';' at character 2"),
        ("(" * 9 + "0" + ")x1" * 9, "nested more than 8"),
    ],
)
def test_chain_text_that_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(RequestError, match=complaint):
        parse_chain(text, 10)


def test_a_nested_chain_at_the_limit_is_read() -> None:
    assert parse_chain("(" * 8 + "0" + ")x1" * 8, 10) == [0]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"score": "best"}, '"score" must be'),
        ({"chain": []}, "has 0 layers, expected 1 .. 40"),
        ({"chain": [0] * 41}, "has 41 layers"),
        ({"chain": [0, 10]}, r'"chain"\[1\] is not a layer 0 .. 9'),
        ({"chain": [True]}, "is not a layer"),
        ({"chain": 3}, "must be a text"),
        ({"prompt": []}, '"prompt" is empty'),
        ({"prompt": [1, -1]}, r'"prompt"\[1\] is not a token id'),
        ({"prompt": [1.0]}, "is not a token id"),
        ({"tokens": []}, '"tokens" has 0 entries'),
        ({"tokens": None}, '"tokens" must be a list'),
        ({"score": "loglik", "continuations": [[1], []]}, r'"continuations"\[1\]'),
        ({"score": "loglik", "continuations": []}, "at least one entry"),
        ({"score": "generate"}, '"max_new_tokens" must be'),
        ({"score": "generate", "max_new_tokens": 0}, '"max_new_tokens" must be'),
        ({"score": "generate", "max_new_tokens": 4, "stop": 2}, '"stop" must be a list'),
        ({"temperature": 1}, 'unknown member "temperature"'),
    ],
)
def test_a_request_that_is_wrong(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(RequestError, match=complaint):
        parse_request({**NEXT, **change}, 10)


def test_what_the_model_does_not_have_is_refused() -> None:
    good = parse_request({**NEXT, "prompt": [1, 2, 3]}, 10)
    check_vocabulary(good, n_vocab=4, n_positions=3)
    with pytest.raises(RequestError, match=r"token 3, the model's tokens are 0 \.\. 2"):
        check_vocabulary(good, n_vocab=3, n_positions=3)
    with pytest.raises(RequestError, match="take 3 positions, the model has 2"):
        check_vocabulary(good, n_vocab=4, n_positions=2)
    generate = parse_request({**NEXT, "score": "generate", "max_new_tokens": 3, "stop": [7]}, 10)
    check_vocabulary(generate, n_vocab=8, n_positions=3)  # the third new token takes no position
    with pytest.raises(RequestError, match="token 7"):
        check_vocabulary(generate, n_vocab=7, n_positions=3)


@pytest.mark.parametrize(
    "line", [b"{", b"[1]", b"\xff", b'{"a": 1, "a": 2}', b"[" * 100_000, b'{"id": ' + b"9" * 5000 + b"}"]
)
def test_a_line_that_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(RequestError):
        decode_line(line)


def test_answers_have_the_members_of_cola_eval() -> None:
    third = 0.3333333432674408  # 1/3 in float32
    answer = Answer(logits=[third], logsumexp=2.0, argmax=7).members()
    assert json.dumps(answer) == '{"logits": [0.333333343], "logsumexp": 2.0, "argmax": 7}'
    assert Answer(logprob=[-1.5]).members() == {"logprob": [-1.5]}
    assert Answer(tokens=[3, 4]).members() == {"tokens": [3, 4]}
    broken = Answer(logits=[float("nan"), 1.0], argmax=7, finite=False).members()
    assert broken == {"logits": [None, None], "logsumexp": None, "argmax": -1, "outcome": "non-finite"}
    assert Answer(tokens=[3], finite=False).members() == {"tokens": [3], "outcome": "non-finite"}


def test_without_torch_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert hf_loop.main(["--model", str(tmp_path)]) == 1
    assert "jobs/setup.sh compare" in capsys.readouterr().err


def test_wrong_usage_ends_with_status_2() -> None:
    for arguments in ([], ["--model", "m", "--dtype", "f16"], ["--model", "m", "--threads", "-1"]):
        with pytest.raises(SystemExit) as end:
            hf_loop.main(arguments)
        assert end.value.code == 2
