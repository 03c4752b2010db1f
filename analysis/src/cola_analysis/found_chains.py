"""The command `cola-chains`: the chains that searches found, as lines for `cola cross --chains`.

Found for a sample is its shortest right chain, where that is shorter than the base or corrects it: the chain
whose robustness the report asks for (robustness.py, other_samples.py). The base chain is always among the
lines, since everything is compared with it. Controls' chains are as welcome: what they reach again is what
chance reaches again. The lines are {"chain": "0-4,6-29", "n_found": 3}: for how many samples, of all files.
Exit status: 0 done, 1 a file that cannot be used or written, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence

from cola_analysis import __version__
from cola_analysis.chain_text import print_chain
from cola_analysis.error import RunError
from cola_analysis.export_file import write_lines
from cola_analysis.menu import candidates
from cola_analysis.read import Run
from cola_analysis.results import Result, load_one
from cola_analysis.robustness import GROUPS, found_ids

ABOUT = """\
Takes, from runs of one model and their controls, each sample's shortest right chain, where it is shorter
than the base or corrects it, and the base chain; each chain once. Run on every sample, and on the same
questions asked differently, they say whether what was found holds."""

EPILOG = """\
  cola-chains both.h5 both-control.h5 --top 50 -o chains.jsonl
  cola cross --tasks tasks.h5 --model DIR --chains chains.jsonl --out x.h5
  cola-findings both.h5 --control both-control.h5 --cross x.h5

exit status: 0 done; 1 a file cannot be used or written; 2 wrong usage"""


def found_chains(paths: Sequence[str], top: int = 0) -> dict[str, int]:
    """Chains by their text, with the number of samples that each was found for; the base chain first.

    top: also the chains that were right for most samples of the runs (not of controls), so many of each.
    """
    chains: dict[str, int] = {}
    model: tuple[str, str | None] | None = None
    for path in paths:
        result = load_one(path)
        seen = result.identity.get("model_fingerprint")
        if model and model[1] != seen:
            raise RunError(f"{path}: model_fingerprint is {seen}, but {model[0]} has {model[1]}")
        model = (path, seen)
        if result.scan.n_model_layers:
            chains.setdefault(print_chain(range(result.scan.n_model_layers)), 0)
        for text in _found(result):
            chains[text] = chains.get(text, 0) + 1
        if top and not result.is_control:
            with Run.open(path) as run:
                for text in candidates(run, top)["text"]:
                    chains.setdefault(text, 0)
    return chains


def _found(result: Result) -> Iterator[str]:
    ids = {name for right in GROUPS.values() for name in found_ids(result, right)}
    frame = result.scan.samples
    with Run.open(result.path) as run:
        for row in frame.loc[frame["id"].isin(ids), "shortest_row"].tolist():
            layers, _ = run.ragged("chains/layer_values", "chains/layer_offsets", row, row + 1, run.n_chains)
            yield print_chain(layers.tolist())


def parser() -> argparse.ArgumentParser:
    """The command line, documented by --help."""
    p = argparse.ArgumentParser(
        prog="cola-chains",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("run", metavar="RUN.h5", nargs="+", help="results of `cola search`, controls too")
    p.add_argument("-o", "--out", required=True, metavar="OUT", help="JSON lines; - is standard output")
    p.add_argument(
        "--top", type=int, default=0, metavar="K", help="also each run's K chains right for most samples"
    )
    p.add_argument("--force", action="store_true", help="replace a file that exists")
    p.add_argument("--version", action="version", version=f"cola-analysis {__version__}")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; usage errors end the process with status 2."""
    options = parser().parse_args(arguments)
    try:
        chains = found_chains(options.run, options.top)
        lines = "".join(json.dumps({"chain": text, "n_found": n}) + "\n" for text, n in chains.items())
        write_lines(options.out, lines, options.force)
        told = f"{len(chains)} chains, of which {sum(n > 0 for n in chains.values())} were found for a sample"
        print(f"cola-chains: {options.out}: {told}", file=sys.stderr)
    except RunError as error:
        print(f"cola-chains: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
