"""What the pass over a file counts, against counting in plain Python."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from random_runs import L, counted, pair, right_chains
from synthetic import File, Sample

from cola_analysis import blocks, scan
from cola_analysis.chain_keys import keys_of
from cola_analysis.read import Run
from cola_analysis.scan import SHARES, Scan, scan_run


def scanned(tmp_path: Path, samples: list[Sample], control: bool = False) -> Scan:
    changed = {"control": "wrong-answer"} if control else {}
    with Run.open(File(samples, changed).write(tmp_path / "run.h5")) as run:
        return scan_run(run)


@pytest.mark.parametrize("control", [False, True])
def test_every_column_is_as_counted_by_hand(tmp_path: Path, control: bool) -> None:
    samples = pair(2, 150)[control]
    result = scanned(tmp_path, samples, control)
    expected = counted(samples)
    assert len(result.samples) == len(expected) > 100
    for s, row, layers in zip(expected, result.samples.to_dict("records"), result.layer_counts, strict=True):
        right = right_chains(s)
        lengths = sorted(len(c.layers) for _, c in right)
        shorter = [i for i, c in right if len(c.layers) < L]
        assert row["base_right"] == (s.chains[0].prediction == s.sought)
        assert (row["n_chains"], row["n_right"]) == (len(s.chains), len(right))
        assert row["first_right"] == (right[0][0] + 1 if right else 0)
        assert row["first_shorter"] == (shorter[0] + 1 if shorter else 0)
        assert row["least_depth"] == min(len(c.layers) for c in s.chains)
        if not right:
            assert row["shortest_depth"] == 0 and np.isnan(row["depth_5"]) and not layers.any()
            continue
        best = min(right, key=lambda pair: (len(pair[1].layers), pair[0]))[1]
        assert row["shortest_depth"] == len(best.layers) == lengths[0]
        assert row["shortest_unique"] == len(set(best.layers))
        assert Counter(best.layers) == {i: n for i, n in enumerate(layers.tolist()) if n}
        for percent in SHARES:
            taken = lengths[: max(1, -(-len(lengths) * percent // 100))]
            assert row[f"depth_{percent}"] == pytest.approx(sum(taken) / len(taken))


def test_edits_are_as_counted_by_hand(tmp_path: Path) -> None:
    samples = pair(3, 150)[0]
    expected: dict[tuple[int, ...], Counter[str]] = {}
    for s in counted(samples):
        base_right = s.chains[0].prediction == s.sought
        for c in s.chains[1:]:
            assert c.edit is not None
            counts = expected.setdefault(c.edit, Counter())
            counts["n_base_right" if base_right else "n_base_wrong"] += 1
            if c.prediction == s.sought:
                counts["n_kept" if base_right else "n_corrected"] += 1
    edits = scanned(tmp_path, samples).edits
    assert len(edits) == len(expected) > 20
    for row in edits.to_dict("records"):
        key = tuple(row[name] for name in scan.EDIT_KEYS)
        assert {name: row[name] for name in scan.EDIT_COUNTS if row[name]} == expected[key]


@pytest.mark.parametrize("n_chains", [1, 3, 20])
def test_the_size_of_blocks_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_chains: int
) -> None:
    samples = pair(4, 60)[0]
    whole = scanned(tmp_path, samples)
    monkeypatch.setattr(scan, "blocks", lambda run: blocks.blocks(run, n_chains))
    parts = scanned(tmp_path, samples)
    pd.testing.assert_frame_equal(parts.samples, whole.samples)
    pd.testing.assert_frame_equal(parts.edits, whole.edits)
    assert np.array_equal(parts.layer_counts, whole.layer_counts)
    assert parts.n_not_scored == whole.n_not_scored > 0
    assert parts.tree_depth_sum == whole.tree_depth_sum


def test_keys_are_equal_for_equal_chains_alone() -> None:
    rng = np.random.default_rng(1)
    rows = [tuple(rng.integers(0, 3, rng.integers(1, 8)).tolist()) for _ in range(3000)]
    bounds = np.cumsum([0, *map(len, rows)])
    keys = keys_of(np.array([x for row in rows for x in row], dtype=np.uint16), bounds).tolist()
    assert len(set(keys)) == len(set(rows)) == len(set(zip(keys, rows, strict=True)))
    assert len(keys_of(np.zeros(0, dtype=np.uint16), np.zeros(1, dtype=np.int64))) == 0
