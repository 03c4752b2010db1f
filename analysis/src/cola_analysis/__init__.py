"""Reads what `cola search` wrote (run.h5) and says what may be concluded from it.

read.py, frames.py      Run.open(path): samples and chains as pandas data frames, in blocks where files are
large blocks.py, check.py     the same as numpy arrays; whether a file agrees with itself
scan.py                 one pass: what was found for each sample
results.py              several runs, each beside its control
statistics.py, bootstrap.py         intervals and tests
tables.py, depth.py, layers.py, menu.py, robustness.py         data frames, one a table or figure
figures.py, draw.py, write.py       drawn and written
outcomes.py, findings.py, conclude.py, conclude_set.py         counted and worded
export_*.py, import_chains.py       runs in the formats that router training reads, and back
cli.py, regrade.py      the commands cola-findings and cola-regrade
"""

from cola_analysis.read import Run, RunError
from cola_analysis.results import Result, load

__all__ = ["Result", "Run", "RunError", "load"]
__version__ = "0.1.0"
