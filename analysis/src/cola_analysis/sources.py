"""The files that cola-findings and cola-report begin with: the same arguments, said once."""

from __future__ import annotations

import argparse

from cola_analysis import __version__


def source_parser(prog: str, about: str, epilog: str, force: str) -> argparse.ArgumentParser:
    """A parser with the runs and what stands beside them; force: the help of --force."""
    p = argparse.ArgumentParser(
        prog=prog, description=about, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def files(name: str, metavar: str, what: str) -> None:
        p.add_argument(name, metavar=metavar, nargs="+", action="extend", default=[], help=what)

    p.add_argument("run", metavar="RUN.h5", nargs="+", help="results of `cola search`")
    files("--control", "CONTROL.h5", "results of `cola search --control wrong-answer`")
    files(
        "--robustness",
        "ASKED.h5",
        "the found chains on questions asked differently (choices re-ordered, another template)",
    )
    files("--cross", "CROSS.h5", "the same chains on every sample, for the menu (`cola cross`)")
    files("--config", "CONFIG.json", "models' config.json for FLOPs [that of the run's model_dir, if there]")
    p.add_argument("--force", action="store_true", help=force)
    p.add_argument("--version", action="version", version=f"cola-analysis {__version__}")
    return p
