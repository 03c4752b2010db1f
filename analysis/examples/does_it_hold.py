"""Does a chain that was found hold when the question is asked differently?

    prepare.py .. --score letter --reorder 2 --out tasks.h5      questions, then re-orderings
    cola search tasks.h5 --model DIR --out run.h5 --samples 0:K     the K questions
    cola search tasks.h5 --model DIR --out asked.h5 --preset exhaustive      or another run with those chains
    python does_it_hold.py run.h5 asked.h5

For each sample the shortest right chain of the search: is it right in every re-asking? The base chain's share
stands beside it; a chain that holds less often than the base was fitted to one wording.
"""

import argparse

from cola_analysis import load
from cola_analysis.robustness import robustness


def main(arguments: list[str] | None = None) -> None:
    """Prints a row a group of samples and chain."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("asked")
    options = parser.parse_args(arguments)
    (result,) = load([options.run])
    print(f"{'samples':<22}{'chain':<14}holds in every re-asking [95 % interval]")
    for row in robustness(result, options.asked).itertuples():
        if not row.n:
            share = "- (none of these was asked again)"
        else:
            share = (
                f"{row.share:.3f}  {row.hits}/{row.n} [{row.low:.3f}, {row.high:.3f}], {row.n_found} found"
            )
        print(f"{row.group:<22}{row.what:<14}{share}")


if __name__ == "__main__":
    main()
