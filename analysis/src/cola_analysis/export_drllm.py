"""Dr.LLM's training JSON: parallel lists with one entry a sample, the shortest right chain as label.

    {"model_name": .., "dataset": .., "questions": [..], "best_path": [[0, 1, 3, ..], ..],
     "best_response": [..], "original_correct": [0, 1, ..], "good_paths": .., "mcts_correct": ..,
     "improved_cases": .., "path_lengths": .., "unique_layers": ..}

Fields and meaning: docs/exports.md. A list of all samples cannot be written sample by sample, so each grows
in a temporary file of its own, and these are joined at the end: memory holds one sample.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from cola_analysis.export_choose import Choice, Visited
from cola_analysis.export_file import json_text, whole_file
from cola_analysis.export_polar import Form, Written
from cola_analysis.export_source import Exported, Group

LISTS = (
    *("questions", "best_path", "best_response", "original_correct"),
    *("mcts_correct", "improved_cases", "path_lengths", "unique_layers", "good_paths"),
)


def export_drllm(
    group: Group, path: Path, choice: Choice, form: Form, names: dict[str, str], force: bool = False
) -> Written:
    """Writes one file of a group of runs; names: `model_name` and `dataset`, by which trainers pick files."""
    written = Written(path)
    with whole_file(path, force) as part, ExitStack() as stack:
        lists: dict[str, TextIO] = {
            name: stack.enter_context(
                tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent, prefix=".cola-export-")
            )
            for name in LISTS
        }
        for sample in group.samples():
            right, _ = choice.chains(sample.chains)
            written.n_right_left_out += sum(chain.right for chain in sample.chains) - len(right)
            if not choice.wants(sample.chains[0].right, bool(right)):
                written.n_left_out += 1
                continue
            for name, value in _entries(sample, right, form).items():
                lists[name].write((",\n  " if written.n_samples else "\n  ") + json_text(value))
            written.n_samples += 1
            written.n_right += len(right)
        with part.open("w", encoding="utf-8") as out:
            _join(out, names | {"metadata": form.metadata}, lists)
    return written


def _entries(sample: Exported, right: list[Visited], form: Form) -> dict[str, Any]:
    """One entry of every list. A sample without a right chain is labelled with the base, as in their code."""
    base = sample.chains[0]
    best = right[0].layers if right else base.layers
    return {
        "questions": form.question(sample),
        "best_path": best,
        "best_response": sample.answer,
        "original_correct": int(base.right),
        "mcts_correct": int(bool(right)),
        "improved_cases": bool(right) and not base.right,
        "path_lengths": len(best),
        "unique_layers": len(set(best)),
        "good_paths": [chain.layers for chain in right],
    }


def _join(out: TextIO, head: dict[str, Any], lists: dict[str, TextIO]) -> None:
    out.write("{" + json_text(head)[1:-1])
    for name, values in lists.items():
        out.write(f",\n{json_text(name)}: [")
        values.seek(0)
        shutil.copyfileobj(values, out)
        out.write("\n]")
    out.write("}\n")
