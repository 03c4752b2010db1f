"""What a vocabulary entry stands for, in bytes: spelt as byte-level BPE or SentencePiece spell it."""

import re
from collections.abc import Callable
from typing import Any

TokenBytes = Callable[[str], bytes]

_HEX = re.compile(r"<0x([0-9A-F]{2})>")


def _byte_letters() -> dict[str, int]:
    """GPT-2 spells each byte as a visible letter: printable ones as themselves, others from U+0100 on."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {chr(byte): byte for byte in visible}
    hidden = (byte for byte in range(0x100) if byte not in visible)
    return letters | {chr(0x100 + index): byte for index, byte in enumerate(hidden)}


_LETTERS = _byte_letters()


def byte_level(token: str) -> bytes:
    """`Ġfood` is b" food"."""
    return bytes(_LETTERS[letter] for letter in token)


def sentence_piece(token: str) -> bytes:
    """`▁food` is b" food", `<0x0A>` is a line feed."""
    match = _HEX.fullmatch(token)
    return bytes([int(match[1], 16)]) if match else token.replace("▁", " ").encode()


def of_decoder(decoder: Any) -> TokenBytes | None:
    """The spelling that goes with the decoder of a tokenizer.json; None: unknown."""
    kinds = [decoder] if isinstance(decoder, dict) else []
    if kinds and kinds[0].get("type") == "Sequence":
        kinds = kinds[0].get("decoders", [])
    types = {entry.get("type") for entry in kinds}
    if "ByteLevel" in types:
        return byte_level
    if types & {"Metaspace", "ByteFallback"}:
        return sentence_piece
    return None
