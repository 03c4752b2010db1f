"""Which block of layers may be skipped, or passed again, without losing right answers?

    cola search TASKS.h5 --model DIR --out run.h5 --preset exhaustive
    python which_block_may_be_skipped.py run.h5

Every single edit of the base chain on every sample. A search of another preset chooses the samples on
which it tries an edit, so its shares mean little; they are left out here.
"""

import argparse

from cola_analysis import load
from cola_analysis.layers import edit_map


def main(arguments: list[str] | None = None) -> None:
    """Prints the edits under which most right samples stay right."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("--kind", choices=("skip", "repeat"), default="skip")
    parser.add_argument("--most", type=int, default=10, help="edits to print [10]")
    options = parser.parse_args(arguments)
    frame = edit_map(load([options.run]))
    if frame.empty or not frame["every_sample"].any():
        parser.error(f"{options.run}: no edit was tried on every sample; search with --preset exhaustive")
    chosen = frame[(frame["what"] == "stay right") & (frame["kind"] == options.kind) & frame["every_sample"]]
    if options.kind == "repeat":
        chosen = chosen[chosen["times"] == 1]
    best = chosen.sort_values(["share", "block"], ascending=False, kind="stable").head(options.most)
    done = {"skip": "skipped", "repeat": "repeated once"}[options.kind]
    print(f"layers   {done}: right samples that stay right [95 % interval]")
    for row in best.itertuples():
        layers = f"{row.position}-{row.position + row.block - 1}" if row.block > 1 else str(row.position)
        print(f"{layers:<8} {row.share:.3f}  {row.hits}/{row.n} [{row.low:.3f}, {row.high:.3f}]")


if __name__ == "__main__":
    main()
