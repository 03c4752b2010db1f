"""Tables and figures' frames: of random runs, against counting in plain Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from random_runs import L, counted, pair, right_chains
from synthetic import BASE, LONG, SHORT, SHORTER, Chain, File, Sample, base

from cola_analysis import depth, layers, tables
from cola_analysis.flops import Flops
from cola_analysis.results import Result, load
from cola_analysis.statistics import mcnemar

CONTROL = {"control": "wrong-answer"}
RUN, REACHED = pair(11, 200)
OURS, THEIRS = counted(RUN), counted(REACHED)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    root = tmp_path_factory.mktemp("tables")
    run = File(RUN, {"model_dir": "models/Tiny"}).write(root / "run.h5")
    control = File(REACHED, {"model_dir": "models/Tiny"} | CONTROL).write(root / "control.h5")
    return load([run], [control])[0]


def right(s: Sample) -> bool:
    return s.chains[0].prediction == s.sought


def shortest(s: Sample) -> Chain | None:
    chains = [c for _, c in right_chains(s)]
    return min(chains, key=lambda c: len(c.layers)) if chains else None


def depth_of(s: Sample) -> int:
    chain = shortest(s)
    assert chain is not None
    return len(chain.layers)


def expect(row: dict[str, Any], ours: list[bool], theirs: list[bool]) -> None:
    """A row's counts on both sides, and that its interval is around its share."""
    assert (row["hits"], row["n"]) == (sum(ours), len(ours))
    assert (row["control_hits"], row["control_n"]) == (sum(theirs), len(theirs))
    assert row["low"] <= row["share"] <= row["high"]
    assert row["difference"] == pytest.approx(row["share"] - row["control_share"])
    assert row["difference_low"] <= row["difference"] <= row["difference_high"]


def both(test: Any) -> tuple[list[bool], list[bool]]:
    return [test(s) for s in OURS], [test(s) for s in THEIRS]


def test_table1_counts_base_and_best(result: Result) -> None:
    rows = tables.table1([result]).set_index("column").to_dict("index")
    assert list(rows) == ["base", "both"]
    expect(rows["base"], *both(right))
    expect(rows["both"], *both(lambda s: bool(right_chains(s))))
    assert (rows["both"]["model"], rows["both"]["task"]) == ("Tiny", "arc_easy")


def test_table1_compares_on_samples_whose_base_gives_neither(result: Result) -> None:
    pairs = [
        (bool(right_chains(a)), bool(right_chains(b)))
        for a, b in zip(RUN, REACHED, strict=True)
        if a in OURS and b in THEIRS and not right(a) and not right(b)
    ]
    row = tables.table1([result]).iloc[1]
    assert row["fair_n"] == len(pairs) > 30
    assert row["fair_hits"] == sum(a for a, _ in pairs)
    assert row["fair_control_hits"] == sum(b for _, b in pairs)
    assert row["fair_mcnemar_p"] == mcnemar(
        sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    )


def test_transitions_are_the_four_and_add_up(result: Result) -> None:
    rows = tables.transitions([result]).set_index("transition").to_dict("index")
    shorter = {id(s): any(len(c.layers) < L for _, c in right_chains(s)) for s in OURS + THEIRS}
    expect(rows["original stays optimal"], *both(lambda s: right(s) and not shorter[id(s)]))
    expect(rows["C->C"], *both(lambda s: right(s) and shorter[id(s)]))
    expect(rows["W->C"], *both(lambda s: not right(s) and bool(right_chains(s))))
    expect(rows["W->W"], *both(lambda s: not right_chains(s)))
    for side in ("share", "control_share"):
        assert sum(row[side] for row in rows.values()) == pytest.approx(1)


def test_first_success_counts_evaluations(result: Result) -> None:
    frame = tables.first_success([result], [1, 2, 4, 9])
    for row in frame[frame["group"] == tables.WRONG].to_dict("records"):
        t = row["evaluations"]
        wrong = [
            [any(i < t for i, _ in right_chains(s)) for s in side if not right(s)] for side in (OURS, THEIRS)
        ]
        expect(row, *wrong)
    for row in frame[frame["group"] == tables.RIGHT].to_dict("records"):
        t = row["evaluations"]
        counts = [
            [any(i < t and len(c.layers) < L for i, c in right_chains(s)) for s in side if right(s)]
            for side in (OURS, THEIRS)
        ]
        expect(row, *counts)
    whole = tables.first_success([result])
    assert whole["evaluations"].max() == max(len(s.chains) for s in OURS + THEIRS)


def test_depths_are_means_over_samples(result: Result) -> None:
    frame = depth.depths([result]).set_index(["group", "measure"])
    for group, of in (("C->C", [s for s in OURS if right(s)]), ("W->C", [s for s in OURS if not right(s)])):
        chains = [c for s in of if (c := shortest(s))]
        row = frame.loc[(group, "shortest right chain")]
        assert row["n"] == len(chains)
        assert row["mean"] == pytest.approx(sum(len(c.layers) for c in chains) / len(chains))
        assert row["low"] < row["mean"] < row["high"]
        unique = frame.loc[(group, "different layers in it")]
        assert unique["mean"] == pytest.approx(sum(len(set(c.layers)) for c in chains) / len(chains))


def test_accuracy_by_depth_ascends_to_the_best(result: Result) -> None:
    frame = depth.accuracy_by_depth([result])
    for row in frame.to_dict("records"):
        d = row["depth"]
        expect(row, *both(lambda s, d=d: bool(right_chains(s)) and depth_of(s) <= d))
    assert frame["share"].is_monotonic_increasing
    assert frame["share"].iloc[-1] == tables.table1([result])["share"].iloc[-1]


def test_shortest_shares_take_the_shortest_part_of_each_sample(result: Result) -> None:
    frame = depth.shortest_shares([result]).set_index(["group", "percent"])
    lengths = [sorted(len(c.layers) for _, c in right_chains(s)) for s in OURS if right(s)]
    means = [sum(x[: -(-len(x) // 5)]) / -(-len(x) // 5) for x in lengths]
    assert frame.loc[("C->C", 20), "mean"] == pytest.approx(sum(means) / len(means))
    whole = [sum(x) / len(x) for x in lengths]
    assert frame.loc[("C->C", 100), "mean"] == pytest.approx(sum(whole) / len(whole))


def test_pareto_is_the_best_that_any_choice_reaches() -> None:
    """Three samples whose 3 x 2 x 2 choices are few enough to try all."""
    made = [
        Sample([base(0), Chain(SHORTER, 0), Chain(LONG, 0)]),
        Sample([base(2), Chain(SHORTER, 1), Chain(SHORT, 0), Chain(LONG, 0)]),
        Sample([base(0), Chain(SHORT, 3)]),
    ]
    points = front(made)
    lengths = [[(len(c.layers), c.prediction == 0) for c in s.chains] for s in made]
    choices = [(a, b, c) for a in lengths[0] for b in lengths[1] for c in lengths[2]]
    for layers_spent, share in points:
        best = max(sum(r for _, r in x) for x in choices if sum(n for n, _ in x) / 3 <= layers_spent + 1e-9)
        assert share == pytest.approx(best / 3)
    assert points == [
        (pytest.approx(11 / 3), pytest.approx(1 / 3)),
        (pytest.approx(12 / 3), pytest.approx(2 / 3)),
        (pytest.approx(14 / 3), pytest.approx(1.0)),
    ] or points == sorted(points)


def front(samples: list[Sample]) -> list[tuple[float, float]]:
    import tempfile

    with tempfile.TemporaryDirectory() as root:
        frame = depth.pareto(load([File(samples).write(Path(root) / "run.h5")]))
    return list(zip(frame["layers"], frame["share"], strict=True))


def test_compute_saved_keeps_every_verdict(result: Result) -> None:
    frame = depth.compute_saved([result], {"Tiny": Flops(per_layer=10.0, head=40.0)})
    rows = frame.set_index(["over", "unit"])["saved"]
    used = [min(depth_of(s), L) if right(s) else L for s in OURS]
    assert rows[("all samples", "layers")] == pytest.approx(1 - sum(used) / (L * len(used)))
    ours = [u for u, s in zip(used, OURS, strict=True) if right(s)]
    assert rows[("samples right at the base", "layers")] == pytest.approx(1 - sum(ours) / (L * len(ours)))
    flops = sum(10 * u + 40 for u in used) / (len(used) * (10 * L + 40))
    assert rows[("all samples", "FLOPs a token")] == pytest.approx(1 - flops)
    assert set(depth.compute_saved([result])["unit"]) == {"layers"}


def test_layers_used_and_edited(result: Result) -> None:
    use = layers.layer_use([result]).set_index(["group", "layer"])
    edits = layers.layer_edits([result]).set_index(["group", "layer", "what"])
    added = layers.layer_repeats([result]).set_index(["group", "layer"])
    chains = [c.layers for s in OURS if not right(s) and (c := shortest(s))]
    reached = [c.layers for s in THEIRS if not right(s) and (c := shortest(s))]
    for layer in range(L):
        passes = [c.count(layer) for c in chains]
        assert use.loc[("W->C", layer), "mean"] == pytest.approx(sum(passes) / len(passes))
        more = [max(p - 1, 0) for p in passes]
        assert added.loc[("W->C", layer), "mean"] == pytest.approx(sum(more) / len(more))
        for what, test in (("skipped", lambda p: p == 0), ("repeated", lambda p: p > 1)):
            row = edits.loc[("W->C", layer, what)].to_dict()
            expect(row, [test(p) for p in passes], [test(c.count(layer)) for c in reached])
    thirds = layers.third_use([result]).set_index(["group", "third"])
    assert thirds.loc[("W->C", "early"), "mean"] == pytest.approx(use.loc["W->C"]["mean"].iloc[:2].mean())
    assert [layers.third_of(i, 7) for i in range(7)] == ["early"] * 3 + ["middle"] * 2 + ["late"] * 2


def test_edit_map_has_every_edit_with_both_groups(result: Result) -> None:
    frame = layers.edit_map([result])
    chosen = frame[(frame["kind"] == "skip") & (frame["position"] == 1) & (frame["block"] == 1)]
    rows = chosen.set_index("what").to_dict("index")

    def tried(side: list[Sample], at_base: bool) -> list[bool]:
        return [
            c.prediction == s.sought
            for s in side
            for c in s.chains[1:]
            if c.edit == (1, 1, 1, 0) and right(s) == at_base
        ]

    expect(rows["stay right"], tried(OURS, True), tried(THEIRS, True))
    expect(rows["corrected"], tried(OURS, False), tried(THEIRS, False))
    assert not frame["every_sample"].any()


def test_an_edit_tried_on_all_samples_is_said_to_be(tmp_path: Path) -> None:
    skip = Chain((1, 2, 3, 4, 5), 0, edit=(1, 0, 1, 0))
    made = [Sample([base(0), skip]), Sample([base(1), skip])]
    frame = layers.edit_map(load([File(made, {"preset": "exhaustive"}).write(tmp_path / "run.h5")]))
    assert frame["every_sample"].tolist() == [True, True]
    assert frame["hits"].tolist() == [1, 1] and frame["control_share"].isna().all()


def test_flops_are_twice_the_weights_that_a_token_meets() -> None:
    llama = {"hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2}
    llama |= {"intermediate_size": 16, "vocab_size": 100}
    weights = 8 * 8 + 2 * 8 * 4 + 8 * 8 + 3 * 8 * 16  # q, k and v, o, feed-forward
    assert Flops.of(llama) == Flops(2.0 * weights, 2.0 * 8 * 100)
    experts = llama | {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 5}
    weights = 8 * 8 + 2 * 8 * 4 + 8 * 8 + 8 * 6 + 2 * 3 * 8 * 5
    assert Flops.of(experts).per_layer == 2.0 * weights


def test_a_run_without_samples_gives_empty_frames_or_rows(tmp_path: Path) -> None:
    results = load([File([Sample([base(0)], finished=False)]).write(tmp_path / "run.h5")])
    for make in (tables.table1, tables.transitions, depth.depths, depth.pareto, depth.accuracy_by_depth):
        frame = make(results)
        assert isinstance(frame, pd.DataFrame)
        if "n" in frame:
            assert (frame["n"] == 0).all()
    assert len(BASE) == L
