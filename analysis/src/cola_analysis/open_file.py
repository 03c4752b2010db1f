"""An HDF5 file of ours that is open for reading: what Run and Cross share.

Opening checks the first block (file_check.py) before HDF5 sees the file, and takes no lock: a search that
goes on may replace the file at any time. Knows no data set.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

import h5py

from cola_analysis.error import RunError
from cola_analysis.file_check import damage


class OpenFile:
    """Base of the classes that read one kind of file; their __init__ checks it. Use `open`, then `with`."""

    def __init__(self, file: h5py.File, path: str) -> None:
        self._file = file
        self.path = path

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Opens a file for reading, without locks; RunError names what is wrong with it."""
        name = os.fspath(path)
        if not os.path.exists(name):
            raise RunError(f"{name}: no such file")
        try:
            wrong = damage(name)
            if wrong:
                raise RunError(f"{name}: {wrong}")
            file = h5py.File(name, "r", locking=False)
        except OSError as error:
            raise RunError(f"{name}: not a readable HDF5 file, or cut short ({error})") from error
        try:
            return cls(file, name)
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Closes the file; what was read stays usable."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
