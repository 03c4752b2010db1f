"""PoLar's merged_mcts_samples.json: one object a sample with its right and wrong chains as lists of layers.

    {"metadata": {..}, "samples": [
     {"query_id": .., "question": .., "gt_ans": .., "initial_score": 0.0 or 1.0,
      "final_valid_transitions": [[0, 1, 3, ..], ..], "final_invalid_transitions": [..]}, ..]}

Fields and meaning: docs/exports.md. Written sample by sample; holds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from cola_analysis.export_choose import Choice, Visited
from cola_analysis.export_file import json_text, whole_file
from cola_analysis.export_source import Exported, Group


@dataclass
class Written:
    """What an export holds, for the command's last line."""

    path: Path
    n_samples: int = 0
    n_right: int = 0
    n_wrong: int = 0
    n_left_out: int = 0
    """Finished samples that the choice leaves out."""
    n_right_left_out: int = 0
    """Right chains of all finished samples that the choice leaves out."""


@dataclass(frozen=True)
class Form:
    """How samples are worded."""

    metadata: dict[str, Any]
    plain_question: bool = False
    """The question without its choices."""
    wrong: bool = True
    """PoLar: also the chains that are known to be wrong."""

    def question(self, sample: Exported) -> str:
        """What stands in the field for the question."""
        return sample.question if self.plain_question else sample.asked


def export_polar(group: Group, path: Path, choice: Choice, form: Form, force: bool = False) -> Written:
    """Writes one file of a group of runs."""
    written = Written(path)
    with whole_file(path, force) as part, part.open("w", encoding="utf-8") as out:
        out.write(f'{{"metadata": {json_text(form.metadata)},\n "samples": [')
        for sample in group.samples():
            right, wrong = choice.chains(sample.chains)
            written.n_right_left_out += sum(chain.right for chain in sample.chains) - len(right)
            if not choice.wants(sample.chains[0].right, bool(right)):
                written.n_left_out += 1
                continue
            out.write(",\n" if written.n_samples else "\n")
            _write(out, sample, form, right, wrong if form.wrong else [])
            written.n_samples += 1
            written.n_right += len(right)
            written.n_wrong += len(wrong) if form.wrong else 0
        out.write("\n]}\n")
    return written


def _write(
    out: TextIO, sample: Exported, form: Form, right: Sequence[Visited], wrong: Sequence[Visited]
) -> None:
    fields = {
        "query_id": sample.id,
        "question": form.question(sample),
        "gt_ans": sample.answer,
        "initial_score": float(sample.chains[0].right),
        "final_valid_transitions": [chain.layers for chain in right],
        "final_invalid_transitions": [chain.layers for chain in wrong],
    }
    out.write("  " + json_text(fields))
