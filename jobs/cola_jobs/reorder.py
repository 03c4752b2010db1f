"""Re-orderings of a question's choices, for robustness checks: does a chain still find the right answer where
the choices stand in another order?

Each re-ordering puts the right answer where neither the question nor an earlier re-ordering has it: a chain
that merely says one letter, whatever is asked, fails all of them. So a question of k choices has k - 1. What
comes where is decided by hashes of the question's id alone (docs/format-tasks.md): the same in every run, on
every machine, whatever other rows there are.
"""

import dataclasses

import xxhash

from cola_jobs.rows import Question


def _rank(question: Question, what: str, number: int) -> tuple[int, int]:
    """Sorts a small set as if shuffled: XXH3-64 of the id, what is sorted, and the element's number."""
    return xxhash.xxh3_64_intdigest(f"{question.id}\0{what}\0{number}".encode()), number


def orders(question: Question, n_asked: int) -> list[list[int]]:
    """At most n_asked orders: the choice at position p of an order is the question's choice order[p]."""
    numbers = range(len(question.choices))
    others = [number for number in numbers if number != question.gold]
    places = sorted(others, key=lambda number: _rank(question, "place", number))
    result = []
    for index, place in enumerate(places[:n_asked], start=1):
        ranks = {number: _rank(question, f"order {index}", number) for number in others}
        order = sorted(others, key=ranks.__getitem__)
        order.insert(place, question.gold)
        result.append(order)
    return result


def apply(question: Question, order: list[int], number: int) -> Question:
    """The question with its choices (and their own labels) in this order; its id ends with #rNUMBER."""
    return dataclasses.replace(
        question,
        id=f"{question.id}#r{number}",
        choices=[question.choices[index] for index in order],
        labels=[question.labels[index] for index in order],
        gold=order.index(question.gold),
    )
