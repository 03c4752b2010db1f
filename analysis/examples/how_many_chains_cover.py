"""How many chains does a benchmark need? The share of samples that one of K chains solves, K = 1, 2, ..

    cola cross --tasks TASKS.h5 --model DIR --from RUN.h5 --top 100 --out x.h5
    python how_many_chains_cover.py x.h5

    cola search TASKS.h5 --model DIR --out run.h5 --preset exhaustive
    cola search TASKS.h5 --model DIR --out control.h5 --preset exhaustive --control wrong-answer --memo run.h5
    python how_many_chains_cover.py run.h5 control.h5

Chosen on one half of the samples and measured on the other, since a menu that is measured where it was chosen
flatters itself. Beside it the control: with four choices, K chains that guess cover 1 - 0.75^K of the
samples.
"""

import argparse

import h5py
import pandas as pd

from cola_analysis import Run
from cola_analysis.cross import Cross
from cola_analysis.menu import coverage


def main(arguments: list[str] | None = None) -> None:
    """Prints a row for each K."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", help="of `cola cross`, or a run in which every sample has the same chains")
    parser.add_argument("control", nargs="?", help="of a run: its control")
    parser.add_argument("--most", type=int, default=100, help="largest K [100]")
    options = parser.parse_args(arguments)
    frame = read(options.file, options.control, options.most)
    frame = frame[frame["how"] == "other samples"]
    print(f"{frame['n'].iloc[0]} samples\n  K  solved [95 % interval]   control")
    for row in frame.itertuples():
        control = "-" if row.control_share is None else f"{row.control_share:.3f}"
        print(f"{row.k:>3}  {row.share:.3f} [{row.low:.3f}, {row.high:.3f}]   {control:>7}")


def read(path: str, control: str | None, most: int) -> pd.DataFrame:
    """Coverage of a table of `cola cross`, or of a run beside its control."""
    with h5py.File(path, "r", locking=False) as file:
        is_cross = file.attrs.get("filetype") == "cola-cross"
    if is_cross:
        with Cross.open(path) as cross:
            return cross.coverage(most)
    with Run.open(path) as run:
        if not control:
            return coverage(run, None, most)
        with Run.open(control) as other:
            return coverage(run, other, most)


if __name__ == "__main__":
    main()
