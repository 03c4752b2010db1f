"""Reads what `cola search` wrote (run.h5) and says what may be concluded from it.

read.py opens a file, statistics.py has the intervals, findings.py counts, report.py words the counts,
figure.py draws them, cli.py is the command `cola-findings`.
"""

from cola_analysis.read import Run, RunError

__all__ = ["Run", "RunError"]
__version__ = "0.1.0"
