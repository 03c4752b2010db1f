"""Does the search find more right answers than chance?

    cola search TASKS.h5 --model DIR --out run.h5
    cola search TASKS.h5 --model DIR --out control.h5 --control wrong-answer --memo run.h5
    python does_search_beat_chance.py run.h5 control.h5

The control looks for a wrong answer drawn at random: what it reaches, chance reaches. Compared are the
samples whose base chain gives neither answer, since each of them had to move for both searches.
"""

import argparse

from cola_analysis import load
from cola_analysis.findings import compare, find
from cola_analysis.table import share_text


def main(arguments: list[str] | None = None) -> None:
    """Prints the two shares, their difference with its interval, and an answer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("control")
    options = parser.parse_args(arguments)
    (result,) = load([options.run], [options.control])
    assert result.control is not None
    ours, theirs = find(result.outcomes, result.path), find(result.control.outcomes, result.control.path)
    pair = compare(ours, theirs).paired
    print(f"right answer reached        {share_text(pair.run)}")
    print(f"drawn wrong answer reached  {share_text(pair.control)}")
    if pair.difference is None:
        print("no sample whose base gives neither: nothing can be said")
        return
    low, high = pair.difference.interval.low, pair.difference.interval.high
    print(f"difference                  {pair.difference.value:+.3f} [{low:+.3f}, {high:+.3f}]")
    if low > 0:
        print("yes, on these samples")
    elif high < 0:
        print("no: the wrong answer is reached more often")
    else:
        print("not distinguishable from chance")


if __name__ == "__main__":
    main()
