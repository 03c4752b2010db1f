"""Menu coverage of a table of `cola cross`, beside its control: menu.py's tables, filled from cross.py's.

    with Cross.open("x.h5") as cross, Run.open("control.h5") as control:
        coverage(cross, control)

Every chain of such a table was evaluated on every sample, so none is left out. The control's drawn answers
are looked up in the stored predictions, by the samples' rows in tasks.h5.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cola_analysis.chain_text import print_chain
from cola_analysis.cross import Cross
from cola_analysis.error import RunError
from cola_analysis.menu import MOST_CELLS, MenuTable, coverage_of, halves_of
from cola_analysis.read import Array, Run


def coverage(cross: Cross, control: Run | None = None, k: int = 100) -> pd.DataFrame:
    """As menu.coverage. Without choices a prediction is no candidate, so there is no control then."""
    ours = table_of(cross, cross.gold.astype(np.int64))
    theirs = None
    if control is not None and not control.by_row:
        index, target = control.column("samples/index"), control.column("samples/target")
        drawn = dict(zip(index.tolist(), target.tolist(), strict=True))
        targets = np.array([drawn.get(int(i), -1) for i in cross.sample_index])
        theirs = table_of(cross, targets) if (targets >= 0).any() else None
    return coverage_of(ours, theirs, k)


def table_of(cross: Cross, target: Array) -> MenuTable:
    """Which chain predicts each sample's target; samples without one (-1) are left out."""
    counted = np.flatnonzero(target >= 0)
    if not cross.complete:
        raise RunError(f"{cross.path}: not complete; finish it with `cola cross ... --resume`")
    if len(counted) == 0:
        raise RunError(f"{cross.path}: no sample has a known answer, so no menu")
    if len(counted) * cross.n_chains > MOST_CELLS:
        raise RunError(
            f"{cross.path}: {cross.n_chains} chains on {len(counted)} samples are too many for a menu"
        )
    parts = []
    for first, prediction in cross.blocks("prediction"):
        wanted = target[first : first + len(prediction)]
        parts.append((prediction == wanted[:, None])[wanted >= 0])
    solved = np.concatenate(parts)
    base = cross.base
    return MenuTable(
        solved=solved,
        row=np.arange(cross.n_chains),
        length=np.array([len(chain) for chain in cross.layers]),
        base=np.full(len(solved), np.nan) if base is None else solved[:, base],
        first_half=halves_of([cross.sample_ids[i] for i in counted]),
        text=lambda i: print_chain(cross.layers[i].tolist()),
    )
