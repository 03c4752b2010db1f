"""What goes into the report's page: packed trees, tables, escaped data, and the command's statuses."""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from synthetic import BASE, SHORT, Chain, CrossFile, File, Sample, base

from cola_analysis import draw, figures
from cola_analysis.collect import provenance_table
from cola_analysis.error import RunError
from cola_analysis.report import contents_of, main
from cola_analysis.report_embed import clean, json_block
from cola_analysis.report_figures import inline_svg
from cola_analysis.report_html import page, policy, script
from cola_analysis.report_tables import MOST_ROWS, table_view
from cola_analysis.report_told import tell
from cola_analysis.report_trees import FLAG_RIGHT, FLAG_WHOLE, edited, tree_data
from cola_analysis.results import load
from cola_analysis.tables import table1

CONTROL = {"control": "wrong-answer"}
SKIPPED = (0, 1, 2, 3, 5)


def samples(target: int | None = None) -> list[Sample]:
    """Two samples, right and wrong at the base, each corrected by its second chain."""
    return [
        Sample([base(0), Chain(SHORT, 0), Chain(BASE, 1, depth=2)], target=target),
        Sample([base(2), Chain(SHORT, 0)], target=target),
    ]


@pytest.fixture
def run(tmp_path: Path) -> str:
    return str(File(samples()).write(tmp_path / "run.h5"))


@pytest.fixture
def control(tmp_path: Path) -> str:
    return str(File(samples(1), CONTROL).write(tmp_path / "control.h5"))


def unpacked(text: str, columns: list[tuple[str, str]]) -> tuple[dict[str, list[Any]], list[int]]:
    """A tree by what report_trees.py says of its form: columns, then layers of chains stored whole."""
    data = base64.b64decode(text)
    (n,) = struct.unpack_from("<I", data)
    at, found = 4, {}
    for name, dtype in columns:
        size = np.dtype(dtype).itemsize * n
        found[name] = np.frombuffer(data[at : at + size], dtype="<" + np.dtype(dtype).str[1:]).tolist()
        at += size
    return found, np.frombuffer(data[at:], dtype="<u2").tolist()


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ((1, 1, 2, 0), (0, 3, 4)),
        ((1, 0, 5, 0), ()),
        ((2, 3, 1, 2), (0, 1, 2, 3, 3, 3, 4)),
        ((2, 3, 2, 1), (0, 1, 2, 3, 4, 3, 4)),
        ((0, 1, 1, 1), ()),
    ],
)
def test_edits_give_the_chain(edit: tuple[int, int, int, int], expected: tuple[int, ...]) -> None:
    assert edited((0, 1, 2, 3, 4), *edit) == expected


def test_a_chain_is_stored_as_its_edit_only_if_that_leads_to_it(run: str) -> None:
    with h5py.File(run, "r+") as file:
        file["chains/edit_position"][1] = (
            4  # the first sample's second chain leaves out layer 4, at its place
        )
        file["chains/edit_position"][4] = 1  # the second sample's says so wrongly
    data = tree_data(load([run])[0], 100)
    columns, stored = unpacked(data["trees"][0], data["columns"])
    whole = [bool(flag & FLAG_WHOLE) for flag in columns["flags"]]
    assert whole == [True, False, True]
    assert stored == [*BASE, *BASE], "the base, and the chain whose edit does not lead to it"
    columns, stored = unpacked(data["trees"][1], data["columns"])
    assert stored == [*BASE, *SKIPPED]
    assert [flag & FLAG_RIGHT for flag in columns["flags"]] == [0, 1]
    assert columns["prediction"] == [2, 0] and columns["length"] == [6, 5]


def test_samples_have_their_outcome_and_what_the_control_found(run: str, control: str) -> None:
    data = tree_data(load([run], [control])[0], 100)["samples"]
    assert data["outcome"] == [2, 3], "right and shorter, corrected"
    assert data["n_right"] == [2, 1] and data["first_right"] == [1, 2]
    assert data["control_right"] == [1, 0]


def test_the_page_names_every_file_that_it_is_made_of(
    run: str, control: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = CrossFile([BASE, SHORT], [[0, 0], [2, 0]], changed={"chains_fingerprint": "xxh3:77"})
    path, out = str(table.write(tmp_path / "x.h5")), tmp_path / "report.html"
    more = ["--cross", path, "--robustness", path]
    assert main([run, "--control", control, *more, "-o", str(out)]) == 0
    written = out.read_text()
    assert f"asked differently: <bdi>{path}</bdi>" in written and "xxh3:77" in written
    assert "Found chains on other samples" in written and "a menu of 2" in written
    told = provenance_table(load([run], [control]), [path, path, run])
    assert told.count(f"\n{path}\n") == 1 and told.count(f"\n{run}\n") == 1
    assert "| chains_fingerprint | xxh3:77 |" in told


def test_trees_beyond_the_limit_are_left_out_whole(run: str) -> None:
    assert [tree is None for tree in tree_data(load([run])[0], 4)["trees"]] == [False, True]
    assert [tree is None for tree in tree_data(load([run])[0], 0)["trees"]] == [True, True]


@pytest.mark.parametrize(("row", "parent"), [(1, 1), (2, 5), (1, -1)])
def test_a_parent_that_is_no_earlier_chain_is_refused(run: str, row: int, parent: int) -> None:
    with h5py.File(run, "r+") as file:
        file["chains/parent"][row] = parent
    with pytest.raises(RunError, match=f"chain {row} has parent {parent}, expected"):
        tree_data(load([run])[0], 100)


def test_json_in_a_page_cannot_end_its_tag_and_reads_back() -> None:
    nasty = ["</script>", "<!--", "]]>", "\u2028", "a & b", "é"]
    block = str(json_block("x", '"><b>', nasty))
    head, body = re.fullmatch(r"(<script[^>]*>)(.*)</script>", block, re.DOTALL).groups()
    assert "<" not in body and ">" not in body and "&" not in body
    assert json.loads(body) == nasty
    assert head.count('"') == 6 and "<b>" not in head


def test_control_characters_become_visible() -> None:
    assert clean("a\x00b\x1b\x7f\x85\ud800\n\t") == "a\u2400b\u241b\u2421\ufffd\ufffd\n\t"


def test_a_share_stands_with_its_interval_counts_and_control() -> None:
    frame = pd.DataFrame(
        {
            "model": ["m", "m"],
            "column": ["base", "both"],
            "share": [0.5, None],
            **{"hits": [5, 0], "n": [10, 0], "low": [0.2366, None], "high": [0.7634, None]},
            **{f"control_{c}": [v, None] for c, v in zip(("share", "hits", "n"), (0.25, 1, 4), strict=True)},
            **{"control_low": [0.05, None], "control_high": [0.7, None]},
            **{"difference": [0.25, None], "difference_low": [-0.2, None], "difference_high": [0.6, None]},
        }
    )
    view = table_view(frame)
    assert view.common == "m"
    assert [c.title for c in view.columns] == ["column", "share", "control", "run minus control, points"]
    assert [c.is_number for c in view.columns] == [False, True, True, True]
    cells = [(cell.text, cell.detail) for cell in view.rows[0]]
    assert cells[1:] == [
        ("50.0 %", "[23.7, 76.3] 5 of 10"),
        ("25.0 %", "[5.0, 70.0] 1 of 4"),
        ("+25.0", "[-20.0, +60.0]"),
    ]
    assert [cell.text for cell in view.rows[1]] == ["both", "-", "-", "-"]
    assert table_view(pd.concat([frame] * MOST_ROWS)).n_left_out == MOST_ROWS


def test_without_control_there_is_no_column_for_it(run: str) -> None:
    table = table_view(table1(load([run])))
    assert [column.title for column in table.columns] == ["column", "share"]
    assert table.common.endswith(", arc_easy, cola"), "what is the same in all rows stands above"


def test_the_page_is_whole_and_the_same_each_time(run: str, control: str) -> None:
    html = page(contents_of(load([run], [control])))
    assert html == page(contents_of(load([run], [control])))
    for word in ("What may be concluded", "Like with like", "Figure 4", "provenance", "numerics_id", "f32-1"):
        assert word in html
    assert not re.search(r'(src|href)="(?!#|data:)', html), "nothing from elsewhere"
    assert "</script" not in script() and "<!--" not in script()
    assert policy(script()).replace("'", "&#39;") in html


def test_figures_take_names_as_they_are(tmp_path: Path) -> None:
    name = "$\\nope$ & <b>"
    path = File(samples(), {"task": name}).write(tmp_path / "run.h5")
    frame = table1(load([path]))
    draw.save(figures.table1(frame), tmp_path / "table1.svg")
    assert "$\\nope$ &amp; &lt;b&gt;" in (tmp_path / "table1.svg").read_text()
    assert "$\\nope$ &amp; &lt;b&gt;" in inline_svg("table1", frame).svg


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    some = [*samples(), replace(samples()[0], finished=False)]
    path = str(File(some).write(tmp_path / "part.h5"))
    assert tell(load([path])[0]).warnings == ["run: 1 of 3 samples are unfinished and left out"]


def test_statuses_and_files(
    run: str, control: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    assert main([run, "--control", control, "-o", str(out)]) == 0
    assert f"{out}: " in capsys.readouterr().out
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert main([control, "-o", str(out)]) == 1
    assert "is itself a control" in capsys.readouterr().err
    assert main([run, "-o", str(tmp_path / "no" / "report.html")]) == 1
    assert "cannot write the report" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main([run])
    assert stopped.value.code == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["control.h5", "report.html", "run.h5"]
