"""Runs a script of jobs/ with the project's virtual environment, however it was started.

Standard library only: it is imported before anything else, by whichever python3 the shell found.
"""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def ensure(*modules: str) -> None:
    """Returns if all modules can be imported; otherwise starts this script again with .venv's python.

    Ends the program with a hint when there is no .venv, or when it lacks one of the modules as well.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if not missing:
        return
    python = ROOT / ".venv" / "bin" / "python"
    if Path(sys.prefix) != ROOT / ".venv" and python.exists():
        os.execv(python, [str(python), *sys.argv])
    script = Path(sys.argv[0]).name
    sys.exit(f"{script}: Python package {', '.join(missing)} is missing: run jobs/setup.sh first")
