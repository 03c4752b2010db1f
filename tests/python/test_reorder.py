"""Re-orderings: each puts the right answer on a letter of its own, they are what the page says by its own
words, and the two columns lead back to the question."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import prepare
import pytest
import xxhash
from cola_jobs import reorder, rows, task_file
from conftest import BENCHMARKS, DATA, File, WriteRows, choices, row


def question(n_choices: int, gold: int, row_id: str = "q") -> rows.Question:
    labels = "ABCDEFGHIJ"[:n_choices]
    content = row(id=row_id, choices=choices(list(labels)), answerKey=labels[gold])
    return rows.parse("x:1", content, task_file.load("arc_easy").fields)


@pytest.mark.parametrize("n_choices", [2, 3, 4, 5, 10])
def test_the_right_answer_is_at_every_other_place_once(n_choices: int) -> None:
    for gold in range(n_choices):
        orders = reorder.orders(question(n_choices, gold), 99)
        assert len(orders) == n_choices - 1
        assert all(sorted(order) == list(range(n_choices)) for order in orders)
        assert sorted(order.index(gold) for order in orders) == [i for i in range(n_choices) if i != gold]


def test_more_re_orderings_keep_the_earlier_ones() -> None:
    four = question(4, 1)
    assert reorder.orders(four, 1) == reorder.orders(four, 3)[:1]
    assert reorder.orders(four, 0) == []


def test_orders_differ_between_questions_but_not_between_runs() -> None:
    drawn = [tuple(map(tuple, reorder.orders(question(4, 0, f"q{i}"), 3))) for i in range(60)]
    assert drawn == [tuple(map(tuple, reorder.orders(question(4, 0, f"q{i}"), 3))) for i in range(60)]
    # 3 orders of the places times 3! orders of the others in each: far from all alike
    assert len(set(drawn)) > 50
    first_places = [orders[0].index(0) for orders in drawn]
    assert min(first_places.count(place) for place in (1, 2, 3)) >= 10


def by_the_page(row_id: str, n_choices: int, gold: int, r: int) -> list[int]:
    """docs/format-tasks.md, "Re-orderings", once more."""

    def h(*parts: Any) -> int:
        return xxhash.xxh3_64(b"\0".join(str(part).encode() for part in (row_id, *parts))).intdigest()

    places = sorted((p for p in range(n_choices) if p != gold), key=lambda p: h("place", p))
    others = sorted((c for c in range(n_choices) if c != gold), key=lambda c: h(f"order {r}", c))
    return [gold if place == places[r - 1] else others.pop(0) for place in range(n_choices)]


@pytest.mark.parametrize(("n_choices", "gold"), [(4, 0), (4, 3), (5, 2), (3, 1), (2, 0)])
def test_orders_are_what_the_page_says(n_choices: int, gold: int) -> None:
    for row_id in ("Mercury_7175875", "ARC-Easy/test/0000", "größe"):
        drawn = reorder.orders(question(n_choices, gold, row_id), n_choices - 1)
        assert drawn == [by_the_page(row_id, n_choices, gold, r) for r in range(1, n_choices)]


@pytest.mark.parametrize("score", ["letter", "generate"])
def test_columns_lead_back_to_the_question(run: Callable[..., File], score: str) -> None:
    n_asked = 3
    file = run(BENCHMARKS / "arc_labels.jsonl", "--reorder", str(n_asked), task="arc_easy", score=score)
    counts = {"letters": 4, "numbers": 4, "three": 3, "five": 5, "five numbers": 5, "two": 2}
    ids = list(counts)
    for r in range(1, n_asked + 1):
        ids += [f"{name}#r{r}" for name, n in counts.items() if n > r]
    assert file.texts("samples/id") == ids
    of_sample = file.data["samples/of_sample"].tolist()
    of_candidate = file.per_sample(file.data["candidates/of_candidate"].tolist())
    texts, labels = (file.per_sample(file.texts(name)) for name in ("texts/choice", "candidates/label"))
    prompts = [file.decode(prompt) for prompt in file.ragged("samples/prompt")]
    gold = file.data["samples/gold"].tolist()
    for index, name in enumerate(ids):
        original = of_sample[index]
        assert ids[original] == name.split("#")[0]
        assert texts[index] == [texts[original][c] for c in of_candidate[index]]
        assert labels[index] == [labels[original][c] for c in of_candidate[index]]
        assert of_candidate[index][gold[index]] == gold[original]
        lines = [f"{letter}. {text}\n" for letter, text in zip("ABCDE", texts[index], strict=False)]
        assert f"\n{''.join(lines)}Answer" in prompts[index]
        if index >= len(counts):
            assert gold[index] != gold[original]
        else:
            assert (original, of_candidate[index]) == (index, list(range(len(texts[index]))))
    by_question = [{gold[i] for i, of in enumerate(of_sample) if of == q} for q in range(len(counts))]
    assert [len(places) for places in by_question] == [min(n, n_asked + 1) for n in counts.values()]


def test_always_the_same_letter_holds_on_no_re_ordering(run: Callable[..., File]) -> None:
    n = 40
    file = run(DATA / "arc_easy.jsonl", "--limit", str(n), "--reorder", "3", score="letter")
    gold, of_sample = file.data["samples/gold"], file.data["samples/of_sample"]
    assert len(gold) >= 4 * n - ceil(n / 10)
    for letter in range(4):
        kept = [i for i in range(n, len(gold)) if gold[i] == letter and gold[of_sample[i]] == letter]
        assert not kept


def test_without_reorder_the_file_has_no_such_column(run: Callable[..., File]) -> None:
    plain = run(DATA / "arc_easy.jsonl", "--limit", "4", score="letter")
    assert not any("/of_" in name for name in plain.data)
    more = run(DATA / "arc_easy.jsonl", "--limit", "4", "--reorder", "2", score="letter")
    template = "template_fingerprint"
    assert plain.attributes[template] != more.attributes[template]
    n_tokens = len(plain.data["samples/prompt_values"])
    assert (more.data["samples/prompt_values"][:n_tokens] == plain.data["samples/prompt_values"]).all()


def test_loglik_refuses_and_names_the_second_template(
    model: Path, tmp_path: Path, write_rows: WriteRows, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "t.h5"
    arguments = ["--model", str(model), "--task", "arc_easy", "--rows", str(write_rows([row()]))]
    assert prepare.main([*arguments, "--out", str(out), "--reorder", "1"]) == 1
    errors = capsys.readouterr().err
    assert "--reorder: the prompt of loglik (plain) does not show the choices" in errors
    assert "--template second" in errors
    assert not out.exists()
