"""The text form of chains: as the program prints it, and back."""

from __future__ import annotations

import random

import pytest
from random_runs import edited

from cola_analysis.chain_text import parse_chain, print_chain

KNOWN = [  # as in tests/unit/chain/test_chain_text.c
    ("0-4,6-9,10-12,10-12,13-27", "0-4,6-9,(10-12)x2,13-27"),
    ("0,1,2,3", "0-3"),
    ("5,5,5,6", "(5)x3,6"),
    ("0,1,1,2,3,1,2,3,4", "0-1,(1-3)x2,4"),
    ("((1)x2,0)x3", "((1)x2,0)x3"),
    ("4,3,2,1", "4,3,2,1"),
    ("0-9,5-9,10", "0-4,(5-9)x2,10"),
    ("7", "7"),
]


@pytest.mark.parametrize(("given", "printed"), KNOWN)
def test_known_chains_print_as_the_program_prints_them(given: str, printed: str) -> None:
    assert print_chain(parse_chain(given)) == printed


def test_blanks_and_folds_are_read() -> None:
    assert parse_chain(" 0-1 ,\t( 1 )x2 ") == (0, 1, 1, 1)
    assert parse_chain("((1)x2,0)x2,3") == (1, 1, 0, 1, 1, 0, 3)


def test_every_chain_reads_back() -> None:
    rng = random.Random(1)
    for _ in range(300):
        layers = tuple(range(rng.randint(2, 12)))
        for _ in range(rng.randint(0, 5)):
            layers, _ = edited(rng, layers)
        assert parse_chain(print_chain(layers)) == layers


@pytest.mark.parametrize("text", ["", "1,", "(1", "(1)", "3-1", "1 2", "a", "(1)x0"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="chain"):
        parse_chain(text)
