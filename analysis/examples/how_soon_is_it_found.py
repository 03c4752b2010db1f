"""After how many evaluations does the search find a right chain, and would more of them help?

    cola search TASKS.h5 --model DIR --out run.h5 --simulations 200
    python how_soon_is_it_found.py run.h5 [control.h5]

Of the samples whose base is wrong: the share with a right chain within t evaluations. A curve that still
rises at its end says that the search was cut short; a control that rises as fast says that it was guessing.
"""

import argparse

from cola_analysis import load
from cola_analysis.tables import first_success

POINTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def main(arguments: list[str] | None = None) -> None:
    """Prints a row for each number of evaluations that the run reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("control", nargs="?")
    options = parser.parse_args(arguments)
    results = load([options.run], [options.control] if options.control else [])
    most = int(results[0].scan.samples["n_chains"].max())
    points = [t for t in POINTS if t < most] + [most]
    frame = first_success(results, points)
    print("evaluations  corrected [95 % interval]       control")
    for row in frame[frame["group"].str.contains("wrong")].itertuples():
        if row.share is None or row.share != row.share:
            print(f"{row.evaluations:>11}  no sample is wrong at the base")
            continue
        ours = f"{row.share:.3f}  {row.hits}/{row.n} [{row.low:.3f}, {row.high:.3f}]"
        control_share = row.control_share
        theirs = "-" if control_share is None or control_share != control_share else f"{control_share:.3f}"
        print(f"{row.evaluations:>11}  {ours:<30}  {theirs}")


if __name__ == "__main__":
    main()
