"""How many chains does a benchmark need? The share of samples that one of K chains solves, K = 1, 2, ..

    cola search TASKS.h5 --model DIR --out run.h5 --preset exhaustive
    cola search TASKS.h5 --model DIR --out control.h5 --preset exhaustive --control wrong-answer --memo run.h5
    python how_many_chains_cover.py run.h5 control.h5

Chosen on one half of the samples and measured on the other, since a menu that is measured where it was chosen
flatters itself. Beside it the control: with four choices, K chains that guess cover 1 - 0.75^K of the
samples.
"""

import argparse

from cola_analysis import Run
from cola_analysis.menu import coverage


def main(arguments: list[str] | None = None) -> None:
    """Prints a row for each K."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="a run in which every sample has the same chains")
    parser.add_argument("control", nargs="?")
    parser.add_argument("--most", type=int, default=100, help="largest K [100]")
    options = parser.parse_args(arguments)
    with Run.open(options.run) as run:
        if options.control:
            with Run.open(options.control) as control:
                frame = coverage(run, control, options.most)
        else:
            frame = coverage(run, None, options.most)
    frame = frame[frame["how"] == "other samples"]
    print(f"base chain: {frame['base_share'].iloc[0]:.3f} of {frame['n'].iloc[0]} samples")
    print("  K  solved [95 % interval]   control  chain added (chosen on all samples)")
    for row in frame.itertuples():
        control_share = "   -" if row.control_share is None else f"{row.control_share:.3f}"
        print(f"{row.k:>3}  {row.share:.3f} [{row.low:.3f}, {row.high:.3f}]   {control_share:>7}  {row.text}")


if __name__ == "__main__":
    main()
