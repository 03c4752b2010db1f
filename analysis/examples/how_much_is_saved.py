"""How much compute could be saved if every sample kept its verdict?

    cola search TASKS.h5 --model DIR --out run.h5
    python how_much_is_saved.py run.h5 [control.h5]

Each sample that is right at the base takes its shortest right chain, all others the base. It is what an
oracle would save that knows the answers; the control's column is what it saves while keeping a wrong answer.
"""

import argparse

from cola_analysis import load
from cola_analysis.depth import compute_saved


def main(arguments: list[str] | None = None) -> None:
    """Prints the share of layers saved, over the samples that are right and over all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("control", nargs="?")
    options = parser.parse_args(arguments)
    frame = compute_saved(load([options.run], [options.control] if options.control else []))
    print(f"{'layers saved':<26}{'run [95 % interval]':<28}control")
    for row in frame[frame["unit"] == "layers"].itertuples():
        ours = _percent(row.saved, row.low, row.high)
        theirs = _percent(row.control_saved, row.control_low, row.control_high)
        print(f"{row.over:<26}{ours:<28}{theirs}")


def _percent(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or value != value:
        return "-"
    if low is None or high is None:
        return f"{100 * value:.1f} %"
    return f"{100 * value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


if __name__ == "__main__":
    main()
