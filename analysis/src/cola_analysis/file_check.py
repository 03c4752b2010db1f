"""The check in the first block of run.h5 and tasks.h5 (docs/format-run.md), compared before HDF5 sees a file.

Damaged bytes may crash the library. A file without a block, of another program, is opened unchecked.
"""

from __future__ import annotations

import xxhash

BLOCK_BYTES = 512
HEAD = b"cola-check "
SIGNATURE = b"\x89HDF\r\n\x1a\n"
PIECE_BYTES = 1 << 20


def damage(path: str) -> str | None:
    """What is wrong with a file, None if nothing is or the file has no check. OSError: cannot be read."""
    state = xxhash.xxh3_128()
    with open(path, "rb") as file:
        block = file.read(BLOCK_BYTES)
        if block.startswith(SIGNATURE):
            return None
        if not block.startswith(HEAD):
            return "not a readable HDF5 file: it begins neither with a check nor as HDF5 does"
        while piece := file.read(PIECE_BYTES):
            state.update(piece)
        n_bytes = file.tell() - BLOCK_BYTES
    text = f"cola-check 1\nxxh3 {state.hexdigest()}\nbytes {n_bytes}\n"
    if block == text.encode().ljust(BLOCK_BYTES, b"\0"):
        return None
    return "damaged, changed or cut short: its bytes do not match the check in its first block"
