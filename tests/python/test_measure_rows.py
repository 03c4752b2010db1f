"""jobs/measure.sh's rows: as many cells as their head has, with the numbers that `cola bench --json` gave."""

import io
import json
from typing import Any

import pytest
from cola_jobs import measure_rows


def spread(median: float) -> dict[str, float]:
    return {"median": median, "least": median / 2, "most": median * 2}


@pytest.fixture
def figures() -> dict[str, Any]:
    shares = ("products", "head", "floor", "floor_with_head", "roof", "trees")
    wholes = ("peak", "peak", "wall", "wall", "wall", "wall")
    pair = {"our_s": 0.1, "their_s": 0.7}
    return {
        "work": {
            "samples": 4,
            "simulations": 5,
            "evaluations": 20,
            "wall_s": 4.0,
            "evaluations_per_s": spread(5),
        },
        "shares": {f"{a}_of_{b}": spread(0.25) for a, b in zip(shares, wholes, strict=True)},
        "reuse": {"of_layers": 0.43, "of_row_layers": 0.41},
        "rows_per_layer_call": 61.6,
        "by_rows": [
            {
                "rows": "1",
                "products": 8,
                "share_of_flops": 0.5,
                "flops_per_s": 2e9,
                "share_of_peak": 0.2,
                "share_of_roof": 0.8,
            },
            {
                "rows": "16-31",
                "products": 3,
                "share_of_flops": 0.5,
                "flops_per_s": 9e9,
                "share_of_peak": 0.9,
                "share_of_roof": 0.95,
            },
        ],
        "bytes": {"states_most": 40 * 2**20, "memory_most": 99 * 2**20},
        "compare": {
            "pairs": [pair, {"our_s": 0.3, "their_s": 0.9}, {"our_s": 0.2, "their_s": 0.8}],
            "ratio": spread(6),
            "ratio_by_layer": spread(7),
            "their_share_of_peak": spread(0.5),
            "same_answers": 59,
            "their_chains": 60,
        },
        "evaluations_new": 2000,
        "master_cpu_s": 0.02,
        "trees_cpu_s": 0.008,
        "search_s": 0.04,
    }


EXPECTED = {
    "products": [
        "| 1 | 8 | 50.0 % | 2.0 | 20.0 % | 80.0 % |",
        "| 16-31 | 3 | 50.0 % | 9.0 | 90.0 % | 95.0 % |",
    ],
    "search": [
        "| name | 5.0 (2.5 .. 10.0) | 62 |" + " 25.0 (12.5 .. 50.0) % |" * 6 + " 40 | 99 |",
    ],
    "compare": [
        "| name | 0.200 (0.100 .. 0.300) | 0.800 (0.700 .. 0.900) | 6.00 (3.00 .. 12.00) "
        "| 7.00 (3.50 .. 14.00) | 50.0 (25.0 .. 100.0) % | 59 of 60 |"
    ],
    "cost": ["| 4 x 5 | 20 | 4.0 | 200.00 | 25.00 % | 25.0 % |"],
    "reuse": ["| name | 5.0 (2.5 .. 10.0) | 43.0 % | 41.0 % | 40 |"],
    "master": ["| name | 2000 | 50000 | 10.0 | 4.0 | 50.0 % |"],
    "quarter": ["10"],
}


@pytest.mark.parametrize("table", EXPECTED)
def test_rows_are_the_figures(
    table: str, figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(figures)))
    assert measure_rows.main([table, "name"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows == EXPECTED[table]
    if table != "quarter":
        assert measure_rows.main(["head", table]) == 0
        head = capsys.readouterr().out.splitlines()
        assert {line.count("|") for line in head} == {row.count("|") for row in rows}


def test_an_unknown_table_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure_rows.main(["nothing"]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_masters_figures_are_the_last_event(
    figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ['{"event": "start"}', '{"event": "progress", "evaluations_new": 1}', json.dumps(figures)]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))
    assert measure_rows.main(["master", "name"]) == 0
    assert capsys.readouterr().out.splitlines() == EXPECTED["master"]
