"""The text form of a chain, `0-4,6-9,(10-12)x2,13-27`: written as the program writes it, and read.

Ascending runs are joined and adjacent repeats folded; x2 means two passes in all. Which of many possible
foldings is in src/chain/print.c: for every position the fold that saves most entries (the smallest block
among equals); from left to right a fold is taken unless one that starts inside it saves more; blocks are
folded again inside. Knows nothing of files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_DEPTH = 8
"""Folds within folds, as many as the program reads back."""

TOKEN = re.compile(r"\s*(?:(\d+)(?:-(\d+))?|(\()|\)x(\d+)|(,))\s*")


def print_chain(layers: Sequence[int]) -> str:
    """The canonical text of a chain; parse_chain(print_chain(c)) == c."""
    return _items(tuple(int(layer) for layer in layers), 0)


def parse_chain(text: str) -> tuple[int, ...]:
    """The layers of a chain in text form; ValueError says at which character it is none."""
    layers, at = _parse_items(text, 0, 0)
    if at != len(text):
        raise ValueError(f"chain {text!r}: unexpected text at character {at + 1}")
    return tuple(layers)


def _best_folds(layers: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """For each position the block of the best fold that starts there, and the entries it saves (0: none)."""
    n = len(layers)
    block_of, saving = [0] * n, [0] * n
    for block in range(1, n // 2 + 1):
        matches = 0
        for i in range(n - block - 1, -1, -1):
            matches = matches + 1 if layers[i] == layers[i + block] else 0
            saved = matches - matches % block
            if saved > saving[i]:
                saving[i], block_of[i] = saved, block
    return block_of, saving


def _items(layers: tuple[int, ...], depth: int) -> str:
    block_of, saving = _best_folds(layers) if depth < MAX_DEPTH else ([0] * len(layers), [0] * len(layers))

    def folds(i: int) -> bool:
        end = i + block_of[i] + saving[i]
        return saving[i] > 0 and all(saving[j] <= saving[i] for j in range(i + 1, end))

    items, i = [], 0
    while i < len(layers):
        if folds(i):
            block, passes = block_of[i], saving[i] // block_of[i] + 1
            items.append(f"({_items(layers[i : i + block], depth + 1)})x{passes}")
            i += block * passes
            continue
        last = i
        while last + 1 < len(layers) and layers[last + 1] == layers[last] + 1 and not folds(last + 1):
            last += 1
        items.append(str(layers[i]) if last == i else f"{layers[i]}-{layers[last]}")
        i = last + 1
    return ",".join(items)


def _parse_items(text: str, at: int, depth: int) -> tuple[list[int], int]:
    layers: list[int] = []
    while True:
        match = TOKEN.match(text, at)
        if match is None or match[5] or match[4]:
            raise ValueError(f"chain {text!r}: expected a layer or `(` at character {at + 1}")
        if match[3]:
            inner, at = _parse_items(text, match.end(), depth + 1)
            close = TOKEN.match(text, at)
            if close is None or not close[4] or int(close[4]) < 1:
                raise ValueError(f"chain {text!r}: expected `)xR` at character {at + 1}")
            layers += inner * int(close[4])
            at = close.end()
        else:
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first:
                raise ValueError(f"chain {text!r}: layers must ascend at character {at + 1}")
            layers += range(first, last + 1)
            at = match.end()
        comma = TOKEN.match(text, at)
        if comma is None or not comma[5]:
            return layers, at
        at = comma.end()
