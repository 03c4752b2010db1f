"""The command `cola-import-chains`: chains of other programs' files as lines for `cola cross --chains`.

Reads PoLar's merged_mcts_samples.json in its three shapes and Dr.LLM's training JSON, sample by sample; holds
each different chain once. The lines are {"chain": "0-4,6-29", "n_right": .., "n_wrong": ..}.
Exit status: 0 done, 1 a file that cannot be used or written, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cola_analysis import __version__
from cola_analysis.chain_text import print_chain
from cola_analysis.error import RunError
from cola_analysis.export_file import write_lines
from cola_analysis.json_stream import members

ABOUT = """\
Takes the chains of PoLar's merged_mcts_samples.json or of Dr.LLM's training JSON, each once, and writes them
as JSON lines, those that were right for most samples first: what `cola cross --chains` reads, to run each on
every sample."""

EPILOG = """\
PoLar: final_valid_transitions of each sample, in {"samples": [..]}, in a list or in an object of samples.
Dr.LLM: good_paths, or best_path where there are none.

  cola-import-chains merged_mcts_samples.json --layers 28 --top 100 -o chains.jsonl
  cola cross --tasks tasks.h5 --model DIR --chains chains.jsonl --out x.h5

exit status: 0 done; 1 a file cannot be used or written; 2 wrong usage"""

MOST_LAYERS = 65_535
RIGHT, WRONG = "final_valid_transitions", "final_invalid_transitions"
DRLLM_LISTS = ("good_paths", "best_path")


@dataclass
class Counts:
    """Different chains with the number of samples for which each was right and wrong."""

    chains: dict[tuple[int, ...], list[int]] = field(default_factory=dict)
    n_samples: int = 0

    def add(self, layers: tuple[int, ...], right: bool) -> None:
        """Counts a chain for one more sample."""
        self.chains.setdefault(layers, [0, 0])[0 if right else 1] += 1

    def ranked(self) -> list[tuple[int, ...]]:
        """As `cola cross --from` ranks: right for most samples, fewer layers, lower layer by layer."""
        return sorted(self.chains, key=lambda chain: (-self.chains[chain][0], len(chain), chain))


def read_chains(path: str, wrong_too: bool = False, n_layers: int | None = None) -> Counts:
    """All chains of a file; RunError says where it is not of a known form."""
    counts = Counts()
    drllm: dict[str, Any] = {}
    try:
        for key, value in members(path, ("samples",)):
            if key in DRLLM_LISTS and isinstance(value, list):
                drllm[str(key)] = value
            elif isinstance(value, dict) and RIGHT in value:
                _add_sample(counts, value, wrong_too, n_layers)
            elif key is None:
                raise ValueError(f"sample {counts.n_samples} has no {RIGHT}")
        if not counts.n_samples:
            _add_drllm(counts, drllm, n_layers)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise RunError(f"{path}: {error}") from error
    if not counts.n_samples:
        raise RunError(f"{path}: neither samples with {RIGHT} (PoLar) nor a list best_path (Dr.LLM)")
    return counts


def _add_sample(counts: Counts, sample: dict[str, Any], wrong_too: bool, n_layers: int | None) -> None:
    for name, right in ((RIGHT, True), (WRONG, False)):
        if right or wrong_too:
            for chain in _chains(sample.get(name, []), f"sample {counts.n_samples}, {name}", n_layers):
                counts.add(chain, right)
    counts.n_samples += 1


def _add_drllm(counts: Counts, lists: dict[str, Any], n_layers: int | None) -> None:
    for i, best in enumerate(lists.get("best_path", [])):
        paths = lists["good_paths"][i] if i < len(lists.get("good_paths", [])) else [best]
        for chain in _chains(paths, f"sample {i}, good_paths or best_path", n_layers):
            counts.add(chain, True)
        counts.n_samples += 1


def _chains(found: Any, where: str, n_layers: int | None) -> Iterator[tuple[int, ...]]:
    """The different chains of a sample's list."""
    if not isinstance(found, list):
        raise ValueError(f"{where}: expected a list of chains")
    limit = MOST_LAYERS if n_layers is None else n_layers
    seen = set()
    for number, chain in enumerate(found):
        if not isinstance(chain, list) or not chain:
            raise ValueError(f"{where}, chain {number}: expected a list of layers, at least one")
        for layer in chain:
            if type(layer) is not int or not 0 <= layer < limit:
                raise ValueError(f"{where}, chain {number}: {layer!r} is no layer (0 .. {limit - 1})")
        seen.add(tuple(chain))
    yield from sorted(seen)


def parser() -> argparse.ArgumentParser:
    """The command line, documented by --help."""
    p = argparse.ArgumentParser(
        prog="cola-import-chains",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("files", metavar="FILE", nargs="+", help="PoLar's or Dr.LLM's JSON")
    p.add_argument("-o", "--out", required=True, metavar="OUT", help="JSON lines; - is standard output")
    p.add_argument("--top", type=int, metavar="K", help="only the K chains right for most samples [all]")
    p.add_argument("--wrong", action="store_true", help="also chains that were wrong wherever tried")
    p.add_argument("--layers", type=int, metavar="L", help="the model's layers: refuse a chain with others")
    p.add_argument("--force", action="store_true", help="replace a file that exists")
    p.add_argument("--version", action="version", version=f"cola-analysis {__version__}")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; usage errors end the process with status 2."""
    options = parser().parse_args(arguments)
    try:
        counts = Counts()
        for path in options.files:
            one = read_chains(path, options.wrong, options.layers)
            counts.n_samples += one.n_samples
            for chain, (right, wrong) in one.chains.items():
                known = counts.chains.setdefault(chain, [0, 0])
                known[0] += right
                known[1] += wrong
        chains = counts.ranked()[: options.top]
        lines = "".join(_line(chain, *counts.chains[chain]) for chain in chains)
        write_lines(options.out, lines, options.force)
        told = f"{len(chains)} of {len(counts.chains)} chains of {counts.n_samples} samples"
        print(f"cola-import-chains: {options.out}: {told}", file=sys.stderr)
    except RunError as error:
        print(f"cola-import-chains: {error}", file=sys.stderr)
        return 1
    return 0


def _line(chain: tuple[int, ...], right: int, wrong: int) -> str:
    return json.dumps({"chain": print_chain(chain), "n_right": right, "n_wrong": wrong}) + "\n"


if __name__ == "__main__":
    sys.exit(main())
