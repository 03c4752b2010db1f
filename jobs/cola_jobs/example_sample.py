"""Prints the id of a sample of RUN.h5 that is worth a look: `python -m cola_jobs.example_sample RUN.h5`.

Worth a look: answered wrong by the base chain and right by as many chains as possible; without such a sample,
the one that a chain answers right with the most layers saved, or with none; without any, the first.
"""

import sys

import h5py


def choose(path: str) -> str:
    """The sample's id."""
    with h5py.File(path) as run:
        starts = run["samples/chain_offsets"][()].astype(int)
        lengths = run["chains/layer_offsets"][1:].astype(int) - run["chains/layer_offsets"][:-1].astype(int)
        rewards = run["chains/reward"][()]
        id_offsets, id_values = run["samples/id_offsets"][()], run["samples/id_values"][()]
    best, best_worth = 0, (-1, 0)
    for sample in range(len(starts) - 1):
        first, last = starts[sample], starts[sample + 1]
        right = rewards[first:last] == 1
        if not right.any():
            continue
        corrected = 0 if right[0] else int(right.sum())
        worth = (corrected, int(lengths[first] - lengths[first:last][right].min()))
        if worth > best_worth:
            best, best_worth = sample, worth
    return bytes(id_values[id_offsets[best] : id_offsets[best + 1]]).decode()


if __name__ == "__main__":
    print(choose(sys.argv[1]))
