"""Progress lines on stderr: the seconds since the start, then what is being done."""

import sys
import time

_START = time.monotonic()


def say(text: str) -> None:
    """Prints one line, at once."""
    print(f"[{time.monotonic() - _START:6.1f} s] {text}", file=sys.stderr, flush=True)


class JobError(Exception):
    """Something outside this program is wrong (a file, a row, a download): its text says what and where."""
