"""What torch's matrix products reach on this machine, for the share of it that an evaluation uses.

Two figures in GFLOP/s (a product of rows x in with in x out counts 2 rows in out): over the matrices of one
layer of the model, as a forward of so many rows multiplies them, and of a square size that leaves no doubt
about call costs. The fastest of several rounds counts, since another process can only slow one down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

ROUNDS_S = 0.5  # seconds a figure is measured for
SQUARE = 2048  # 17 GFLOP a product: 0.1 s on two cores


def peak(layer: Any, rows: int) -> dict[str, Any]:
    """The two figures for products of `rows` rows with this layer's matrices, of an expert's once a stack."""
    stacks = [p.detach() for p in layer.parameters() if p.dim() >= 2]
    weights = [p[0] if p.dim() == 3 else p for p in stacks]
    inputs = [torch.randn(rows, w.shape[1], dtype=w.dtype) for w in weights]
    square = torch.randn(SQUARE, SQUARE, dtype=weights[0].dtype)
    return {
        "rows": rows,
        "matrices": [list(w.shape) for w in weights],
        "gflops": _gflops(
            lambda: [functional.linear(x, w) for x, w in zip(inputs, weights, strict=True)],
            sum(2 * rows * w.numel() for w in weights),
        ),
        "square": SQUARE,
        "gflops_square": _gflops(lambda: functional.linear(square, square), 2 * SQUARE**3),
    }


@torch.inference_mode()
def _gflops(run: Callable[[], object], n_operations: int) -> float:
    run()
    fastest, end = float("inf"), time.perf_counter() + ROUNDS_S
    while (began := time.perf_counter()) < end:
        run()
        fastest = min(fastest, time.perf_counter() - began)
    return round(n_operations / fastest / 1e9, 1)
