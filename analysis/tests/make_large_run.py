"""Writes a synthetic run.h5 of any size, to see that the analysis stays within its memory and time:

    .venv/bin/python analysis/tests/make_large_run.py build/large.h5 --samples 50000 --chains 200
    .venv/bin/python analysis/tests/make_large_run.py build/large-control.h5 --samples 50000 --chains 200
    --control /usr/bin/time -v .venv/bin/cola-findings build/large.h5 --control build/large-control.h5 --out
    build/large

50,000 samples with 200 chains are 10 million chains, 1.3 GB. Chains are one or two random edits of the base;
every chain gives each of four answers with a probability that depends on the sample alone, so what is found
is chance and the control finds as much. Written in blocks, by docs/format-run.md and nothing of the package.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import h5py
import numpy as np

L = 32
N_CANDIDATES = 4
SAMPLES_AT_ONCE = 500
IDENTITY = {
    "task": "synthetic",
    "score": "loglik",
    "tasks_fingerprint": "xxh3:" + "1" * 32,
    "model_fingerprint": "xxh3:" + "2" * 32,
    "numerics_id": "synthetic",
    "preset": "cola",
    "space": "both",
    "metric": "acc",
    "seed": "0",
}
PROVENANCE = {"run_id": "3" * 32, "created": "2026-01-31T12:00:00Z", "program_version": "", "git_hash": ""}
COLUMNS = {
    "chains/parent": np.int32,
    "chains/depth": np.uint32,
    "chains/edit_kind": np.uint8,
    "chains/edit_position": np.uint16,
    "chains/edit_block": np.uint8,
    "chains/edit_times": np.uint8,
    "chains/simulation": np.uint32,
    "chains/n_visits": np.uint32,
    "chains/total_reward": np.float64,
    "chains/reward": np.float32,
    "chains/prediction": np.int32,
    "chains/outcome": np.uint8,
    "chains/on_front": np.uint8,
    "scores/logsumexp": np.float32,
    "scores/argmax": np.int32,
    "timing/seconds": np.float32,
    "timing/layers_asked": np.uint32,
    "timing/layers_executed": np.uint32,
}


def edited(random: np.random.Generator, n_samples: int, n_chains: int) -> tuple[np.ndarray, ...]:
    """Passes through each layer [chains, L] of chains that are one edit from the base, and the edits."""
    n = n_samples * n_chains
    kind = random.integers(1, 3, n).astype(np.uint8)
    block = random.integers(1, 5, n).astype(np.uint8)
    times = np.where(kind == 2, random.integers(1, 3, n), 0).astype(np.uint8)
    position = (random.random(n) * (L - block + 1)).astype(np.uint16)
    base = np.arange(0, n, n_chains)
    for column in (kind, block, times, position):
        column[base] = 0
    return kind, position, block, times


def chains_of(kind: np.ndarray, position: np.ndarray, block: np.ndarray, times: np.ndarray) -> tuple:
    """The layers of all chains, one after the other, and their lengths."""
    length = L - np.where(kind == 1, block, 0) + np.where(kind == 2, block.astype(int) * times, 0)
    place = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    kind, position, block, times = (
        np.repeat(c.astype(np.int64), length) for c in (kind, position, block, times)
    )
    behind = place >= position + np.where(kind == 2, block * (times + 1), 0)
    inside = (kind == 2) & (place >= position) & ~behind
    shift = np.where(kind == 1, block, -block * times)
    layer = np.where(behind & (kind > 0), place + shift, place)
    layer = np.where(inside, position + (place - position) % np.maximum(block, 1), layer)
    return layer.astype(np.uint16), length


def grow(file: h5py.File, path: str, values: np.ndarray) -> None:
    """Appends to a data set."""
    node = file[path]
    node.resize((len(node) + len(values),))
    node[-len(values) :] = values


def write_block(
    file: h5py.File, first: int, n: int, n_chains: int, gold: np.ndarray, target: np.ndarray
) -> None:
    """Chains of samples [first, first + n). Run and control share chains and scores: keyed by the sample."""
    random = np.random.Generator(np.random.Philox(key=np.array([1, first], dtype=np.uint64)))
    edits = edited(random, n, n_chains)
    layers, length = chains_of(*edits)
    likes = random.random((n, 1, N_CANDIDATES)) * 12
    scores = (likes + random.gumbel(size=(n, n_chains, N_CANDIDATES))).astype(np.float32)
    prediction = scores.argmax(axis=2).ravel().astype(np.int32)
    reward = prediction == np.repeat(target, n_chains)
    number = np.tile(np.arange(n_chains), n)
    values = {
        "chains/parent": np.where(number == 0, -1, 0),
        "chains/depth": number > 0,
        "chains/edit_kind": edits[0],
        "chains/edit_position": edits[1],
        "chains/edit_block": edits[2],
        "chains/edit_times": edits[3],
        "chains/simulation": number,
        "chains/n_visits": np.ones(len(number)),
        "chains/total_reward": reward,
        "chains/reward": reward,
        "chains/prediction": prediction,
        "chains/outcome": np.zeros(len(number)),
        "chains/on_front": np.zeros(len(number)),
        "scores/logsumexp": np.zeros(len(number)),
        "scores/argmax": np.full(len(number), -1),
        "timing/seconds": np.zeros(len(number)),
        "timing/layers_asked": length,
        "timing/layers_executed": length,
    }
    for path, dtype in COLUMNS.items():
        grow(file, path, values[path].astype(dtype))
    grow(file, "chains/layer_values", layers)
    grow(
        file,
        "chains/layer_offsets",
        (np.cumsum(length) + int(file["chains/layer_offsets"][-1])).astype(np.uint64),
    )
    grow(file, "scores/values", scores.ravel())
    ends = np.arange(1, len(number) + 1) * N_CANDIDATES + int(file["scores/offsets"][-1])
    grow(file, "scores/offsets", ends.astype(np.uint64))


def ragged(file: h5py.File, path: str, rows: list[bytes]) -> None:
    """A ragged column of texts."""
    file[f"{path}_offsets"] = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.uint64)
    file[f"{path}_values"] = np.frombuffer(b"".join(rows), dtype=np.uint8)


def write(path: Path, n_samples: int, n_chains: int, control: bool) -> None:
    """The whole file."""
    random = np.random.default_rng(7)
    gold = random.integers(0, N_CANDIDATES, n_samples).astype(np.int32)
    wrong = ((gold + random.integers(1, N_CANDIDATES, n_samples)) % N_CANDIDATES).astype(np.int32)
    target = wrong if control else gold
    with h5py.File(path, "w") as file:
        identity = {**IDENTITY, "control": "wrong-answer" if control else "none"}
        for name, value in {**identity, **PROVENANCE, "n_simulations": str(n_chains)}.items():
            file.attrs[name] = value
        file.attrs["filetype"] = "cola-run"
        file.attrs["version"] = np.array([1, 1], dtype=np.int32)
        file.attrs["complete"], file.attrs["folded_sequence"] = np.int32(1), np.uint64(0)
        file.attrs["content_digest"] = "xxh3:" + "0" * 32
        file.attrs["identity_keys"], file.attrs["grows_keys"] = "\n".join(identity), "n_simulations"
        file.attrs["provenance_keys"] = "\n".join(PROVENANCE)
        file["samples/index"] = np.arange(n_samples, dtype=np.uint32)
        file["samples/gold"], file["samples/target"] = gold, target
        file["samples/finished"] = np.ones(n_samples, dtype=np.uint8)
        file["samples/n_simulations"] = np.full(n_samples, n_chains, dtype=np.uint32)
        file["samples/candidate_offsets"] = np.arange(n_samples + 1, dtype=np.uint64) * N_CANDIDATES
        file["samples/chain_offsets"] = np.arange(n_samples + 1, dtype=np.uint64) * n_chains
        file["candidates/n_bytes"] = np.ones(n_samples * N_CANDIDATES, dtype=np.uint32)
        ragged(file, "samples/id", [f"q{i}".encode() for i in range(n_samples)])
        ragged(file, "candidates/label", [b"A", b"B", b"C", b"D"] * n_samples)
        ragged(file, "texts/question", [f"question {i}?".encode() for i in range(n_samples)])
        ragged(file, "texts/choice", [f"choice {c}".encode() for c in range(N_CANDIDATES)] * n_samples)
        ragged(file, "texts/target", [f"choice {c}".encode() for c in target])
        empty = {"scores/token": np.int32, "scores/answer": np.uint8}
        for name, dtype in empty.items():
            file[f"{name}_values"] = np.zeros(0, dtype=dtype)
            file[f"{name}_offsets"] = np.zeros(n_samples * n_chains + 1, dtype=np.uint64)
        flat = {"chains/layer_values": np.uint16, "scores/values": np.float32}
        for name, dtype in {**COLUMNS, **flat}.items():
            file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(1 << 17,))
        for name in ("chains/layer_offsets", "scores/offsets"):
            file.create_dataset(name, (1,), np.uint64, maxshape=(None,), chunks=(1 << 17,))
        for first in range(0, n_samples, SAMPLES_AT_ONCE):
            n = min(SAMPLES_AT_ONCE, n_samples - first)
            part = slice(first, first + n)
            write_block(file, first, n, n_chains, gold[part], target[part])


def main() -> int:
    """The command."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("path", type=Path, metavar="RUN.h5")
    p.add_argument("--samples", type=int, default=50_000)
    p.add_argument("--chains", type=int, default=200, help="chains a sample, the base included")
    p.add_argument("--control", action="store_true", help="the control of the same run")
    options = p.parse_args()
    write(options.path, options.samples, options.chains, options.control)
    return 0


if __name__ == "__main__":
    sys.exit(main())
