"""cola-chains: which chains it takes, and that a table of them says everything the report asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from random_runs import counted, pair, right_chains
from synthetic import BASE, LONG, SHORT, SHORTER, Chain, CrossFile, File, Sample, base

from cola_analysis.chain_text import print_chain
from cola_analysis.collect import collect_frames
from cola_analysis.found_chains import main
from cola_analysis.results import load

CONTROL = {"control": "wrong-answer"}
FOUND = [
    Sample([base(0), Chain(SHORT, 0)]),
    Sample([base(0), Chain(LONG, 0)]),  # right, not shortened
    Sample([base(2), Chain(LONG, 0), Chain(SHORTER, 2)]),
    Sample([base(2), Chain(LONG, 0), Chain(SHORT, 0)]),  # the shorter of two
    Sample([base(2), Chain(SHORTER, 1)]),  # never
]


def taken(tmp_path: Path, *arguments: str | Path) -> dict[str, int]:
    out = tmp_path / "chains.jsonl"
    assert main([*map(str, arguments), "-o", str(out), "--force"]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len({line["chain"] for line in lines}) == len(lines)
    return {line["chain"]: line["n_found"] for line in lines}


def test_the_base_and_each_samples_shortest_right_chain_are_taken(tmp_path: Path) -> None:
    run = File(FOUND).write(tmp_path / "run.h5")
    texts = {chain: print_chain(chain) for chain in (BASE, SHORT, LONG, SHORTER)}
    assert taken(tmp_path, run) == {texts[BASE]: 0, texts[SHORT]: 2, texts[LONG]: 1}
    control = File([Sample([base(2), Chain(SHORTER, 1)], target=1)], CONTROL).write(tmp_path / "control.h5")
    both = taken(tmp_path, run, control)
    assert both == {texts[BASE]: 0, texts[SHORT]: 2, texts[LONG]: 1, texts[SHORTER]: 1}
    # right for most samples: LONG for 3, SHORT and the base for 2 each
    assert taken(tmp_path, run, "--top", "1") == {texts[BASE]: 0, texts[SHORT]: 2, texts[LONG]: 1}
    assert set(taken(tmp_path, run, "--top", "4")) == set(texts.values())


def test_a_table_of_them_has_all_that_the_report_asks_for(tmp_path: Path) -> None:
    ours, theirs = pair(5, 40)
    run = File(ours).write(tmp_path / "run.h5")
    control = File(theirs, CONTROL).write(tmp_path / "control.h5")
    texts = set(taken(tmp_path, run, control))
    known = {print_chain(c.layers): c.layers for s in [*ours, *theirs] for c in s.chains}
    assert texts <= set(known)
    table = CrossFile([known[t] for t in texts], [[0] * len(texts)] * 40, choices=["abcd"] * 40)
    path = str(table.write(tmp_path / "x.h5"))
    frames = collect_frames(load([run], [control]), [path], [path])
    held = frames["robustness"]
    found = held[held["what"] == "found chain"]
    assert (found["n"] == found["n_found"]).all() and (found["hits"] == found["n"]).all()
    corrected = [s for s in counted(ours) if s.chains[0].prediction != s.sought and right_chains(s)]
    assert found["n"].iloc[1] == len(corrected) > 5
    assert set(frames["other_samples"]["chains"]) == set(held["group"])
    control_found = found["control_n"].to_numpy()
    assert control_found.min() > 0 and (found["control_hits"] == 0).all()


def test_files_that_cannot_be_used_end_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = File(FOUND).write(tmp_path / "run.h5")
    other = File(FOUND, {"model_fingerprint": "another"}).write(tmp_path / "other.h5")
    assert main([str(run), str(other), "-o", str(tmp_path / "c.jsonl")]) == 1
    assert "model_fingerprint is another" in capsys.readouterr().err
    assert not (tmp_path / "c.jsonl").exists()
    assert main([str(tmp_path / "absent.h5"), "-o", "-"]) == 1
    with pytest.raises(SystemExit):
        main([str(run)])
