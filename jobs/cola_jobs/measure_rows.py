"""Figures of `cola bench --json` on stdin as rows of the tables in docs/PERFORMANCE.md; for jobs/measure.sh.
Of the lines of `cola search --events` for the table `master`.

    measure_rows.py TABLE [LABEL] < figures.json
    measure_rows.py head TABLE

TABLE: products (a row a batch size), search, compare, cost, reuse, master (a row each). quarter in its place:
no row, but a quarter of the bytes that states took at most, in MiB.
"""

import json
import sys
from typing import Any

HEADS = {
    "products": "| rows of a batch | products | of the FLOPs | GFLOP/s | of the peak | of the roof |",
    "search": "| search | evaluations/s | rows a layer call | products, of the peak | head, of the peak "
    "| floor, of the time | with the head | roof, of the time | trees, of the time | states, MiB "
    "| memory, MiB |",
    "compare": "| task | ours, s a chain | theirs, s a chain | ratio | by layer | theirs, of its peak "
    "| same answers |",
    "cost": "| samples x simulations | evaluations | s | ms an evaluation | trees, of the time "
    "| floor, of the time |",
    "master": "| search | evaluations | evaluations/s | master, us of CPU an evaluation "
    "| trees, of that | master, of the time |",
    "reuse": "| states | evaluations/s | layers left out | rows x layers left out | most held, MiB |",
}


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{100 * share:.1f} %"


def spread(values: dict[str, float], scale: float = 1, digits: int = 1) -> str:
    """median (least .. most), the range only where there is one."""
    median, least, most = (scale * values[name] for name in ("median", "least", "most"))
    text = f"{median:.{digits}f}"
    return text if least == most else f"{text} ({least:.{digits}f} .. {most:.{digits}f})"


def mib(n_bytes: float) -> str:
    """Bytes in whole MiB."""
    return f"{n_bytes / 2**20:.0f}"


def products(figures: dict[str, Any], label: str) -> list[list[str]]:
    """A row a batch size."""
    return [
        [
            row["rows"],
            str(row["products"]),
            percent(row["share_of_flops"]),
            f"{row['flops_per_s'] / 1e9:.1f}",
            percent(row["share_of_peak"]),
            percent(row["share_of_roof"]),
        ]
        for row in figures["by_rows"]
    ]


def search(figures: dict[str, Any], label: str) -> list[list[str]]:
    """A search beside the floor."""
    shares, held = figures["shares"], figures["bytes"]
    names = ("products_of_peak", "head_of_peak", "floor_of_wall", "floor_with_head_of_wall")
    names += ("roof_of_wall", "trees_of_wall")
    row = [label, spread(figures["work"]["evaluations_per_s"]), f"{figures['rows_per_layer_call']:.0f}"]
    row += [f"{spread(shares[name], 100)} %" for name in names]
    return [[*row, mib(held["states_most"]), mib(held["memory_most"])]]


def compare(figures: dict[str, Any], label: str) -> list[list[str]]:
    """The pairs' medians."""
    compared = figures["compare"]
    pairs = compared["pairs"]
    times = {name: sorted(pair[name] for pair in pairs) for name in ("our_s", "their_s")}
    ours, theirs = (
        spread({"median": median(values), "least": values[0], "most": values[-1]}, digits=3)
        for values in times.values()
    )
    return [
        [
            label,
            ours,
            theirs,
            spread(compared["ratio"], digits=2),
            spread(compared["ratio_by_layer"], digits=2),
            f"{spread(compared['their_share_of_peak'], 100)} %",
            f"{compared['same_answers']} of {compared['their_chains']}",
        ]
    ]


def median(ordered: list[float]) -> float:
    """Of an ordered list."""
    n = len(ordered)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def cost(figures: dict[str, Any], label: str) -> list[list[str]]:
    """What an evaluation takes."""
    work, shares = figures["work"], figures["shares"]
    return [
        [
            f"{work['samples']} x {work['simulations']}",
            str(work["evaluations"]),
            f"{work['wall_s']:.1f}",
            f"{1000 * work['wall_s'] / work['evaluations']:.2f}",
            f"{100 * shares['trees_of_wall']['median']:.2f} %",
            percent(shares["floor_of_wall"]["median"]),
        ]
    ]


def reuse(figures: dict[str, Any], label: str) -> list[list[str]]:
    """What shared states leave out."""
    found = figures["reuse"]
    return [
        [
            label,
            spread(figures["work"]["evaluations_per_s"]),
            percent(found["of_layers"]),
            percent(found["of_row_layers"]),
            mib(figures["bytes"]["states_most"]),
        ]
    ]


def master(end: dict[str, Any], label: str) -> list[list[str]]:
    """What the master took, from the last line of the events."""
    n, cpu_s, seconds = end["evaluations_new"], end["master_cpu_s"], end["search_s"]
    return [
        [
            label,
            str(n),
            f"{n / seconds:.0f}",
            f"{1e6 * cpu_s / n:.1f}",
            f"{1e6 * end['trees_cpu_s'] / n:.1f}",
            percent(cpu_s / seconds),
        ]
    ]


TABLES = {
    "products": products,
    "search": search,
    "compare": compare,
    "cost": cost,
    "reuse": reuse,
    "master": master,
}


def head(table: str) -> str:
    """The table's first two lines."""
    return f"{HEADS[table]}\n|{'---|' * (HEADS[table].count('|') - 1)}"


def main(arguments: list[str]) -> int:
    """Prints rows, or a table's first two lines."""
    if len(arguments) == 2 and arguments[0] == "head" and arguments[1] in HEADS:
        print(head(arguments[1]))
        return 0
    if not arguments or arguments[0] not in (*TABLES, "quarter"):
        print("usage: measure_rows.py TABLE [LABEL] < figures.json, or head TABLE", file=sys.stderr)
        return 2
    text = sys.stdin.read()
    figures = json.loads(text.strip().splitlines()[-1] if arguments[0] == "master" else text)
    if arguments[0] == "quarter":
        print(max(1, figures["bytes"]["states_most"] // 4 // 2**20))
        return 0
    for row in TABLES[arguments[0]](figures, arguments[1] if len(arguments) > 1 else ""):
        print(f"| {' | '.join(row)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
