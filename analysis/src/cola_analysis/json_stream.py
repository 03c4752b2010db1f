"""Reads one large JSON document member by member, so that memory holds one of them.

    for key, value in members(path, ("samples",)): ...

Gives the members of an object with their keys, and the entries of a list with None. A member of the outermost
object that is named in `inside` and is a list is given entry by entry, too. Only what is given is decoded by
json; knows nothing of what a document means.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

PIECE_CHARACTERS = 1 << 20
LARGEST_CHARACTERS = 1 << 30
"""Of one member: what is larger is no list of samples."""
BLANKS = " \t\r\n"


def members(path: str | os.PathLike[str], inside: Sequence[str] = ()) -> Iterator[tuple[str | None, Any]]:
    """Members one after the other. ValueError where the text is no JSON; OSError where it cannot be read."""
    with open(path, encoding="utf-8") as file:
        text = _Text(file)
        opened = text.next_character()
        if opened not in "[{":
            raise ValueError("expected { or [ at its beginning")
        yield from _values(text, opened, inside)
        if text.peek():
            raise ValueError(f"more text behind the end of the document, at character {text.place}")


def _values(text: _Text, opened: str, inside: Sequence[str]) -> Iterator[tuple[str | None, Any]]:
    close = "]" if opened == "[" else "}"
    if text.peek() == close:
        text.next_character()
        return
    while True:
        key = None
        if opened == "{":
            key = text.value()
            if not isinstance(key, str):
                raise ValueError(f"expected a key before character {text.place}")
            text.expect(":")
        if key in inside and text.peek() == "[":
            yield from _values(text, text.next_character(), ())
        else:
            yield key, text.value()
        if text.expect(f",{close}") == close:
            return


class _Text:
    """A window on the document's text."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._window = ""
        self._at = 0
        self._passed = 0
        self._ended = False
        self._decoder = json.JSONDecoder(parse_constant=_refuse)

    @property
    def place(self) -> int:
        """Characters of the document before the next one."""
        return self._passed + self._at

    def peek(self) -> str:
        """The next character that is no blank, left where it is; empty at the end."""
        while True:
            while self._at < len(self._window) and self._window[self._at] in BLANKS:
                self._at += 1
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more(PIECE_CHARACTERS):
                return ""

    def next_character(self) -> str:
        """The next character that is no blank."""
        found = self.peek()
        if not found:
            raise ValueError("the text ends in the middle")
        self._at += 1
        return found

    def expect(self, characters: str) -> str:
        """The next character, which must be one of these."""
        found = self.next_character()
        if found not in characters:
            raise ValueError(f"expected {' or '.join(characters)} at character {self.place - 1}")
        return found

    def value(self) -> Any:
        """The value that comes next, decoded."""
        self.peek()
        piece = PIECE_CHARACTERS
        while True:
            wrong = None
            try:
                value, end = self._decoder.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                wrong = error
            else:
                if end < len(self._window) or self._ended:  # a number may go on behind the window
                    self._at = end
                    return value
            if not self._more(piece) and wrong:
                raise ValueError(f"{wrong.msg} at character {self._passed + wrong.pos}") from wrong
            piece *= 2
            if piece > LARGEST_CHARACTERS:
                raise ValueError(f"no value ends within {LARGEST_CHARACTERS} characters of {self.place}")

    def _more(self, n: int) -> bool:
        """Reads on and forgets what was passed; False at the end."""
        read = self._file.read(n)
        self._ended = not read
        self._passed += self._at
        self._window, self._at = self._window[self._at :] + read, 0
        return bool(read)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
