"""Which layers do right chains leave out, and which do they pass more than once?

    cola search TASKS.h5 --model DIR --out run.h5
    python which_layers_are_left_out.py run.h5

Of each sample the shortest right chain: how many of them skip a layer, and how many pass it twice or more.
Samples right at the base and corrected ones apart.
"""

import argparse

from cola_analysis import load
from cola_analysis.layers import layer_edits


def main(arguments: list[str] | None = None) -> None:
    """Prints a row a layer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    options = parser.parse_args(arguments)
    frame = layer_edits(load([options.run]))
    for group, rows in frame.groupby("group", sort=False):
        shares = rows.pivot(index="layer", columns="what", values="share")
        print(f"{group}: {rows['n'].iloc[0]} samples\n  layer  skipped  repeated")
        for layer, row in shares.iterrows():
            print(f"  {layer:>5}  {_cell(row['skipped'])}  {_cell(row['repeated'])}")


def _cell(share: float | None) -> str:
    return f"{'-':>7}" if share is None or share != share else f"{share:>7.3f}"


if __name__ == "__main__":
    main()
