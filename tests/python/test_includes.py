"""The structure that CMakeLists.txt links, checked in the sources.

Includes point one way, and each library is called from its own files only.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^">]+)[">]', re.MULTILINE)

# A module may include its own headers and those of modules with a smaller number.
LEVEL = {
    "base": 0,
    "chain": 1,
    "model": 2,
    "task": 2,
    "search": 3,
    "engine": 3,
    "record": 4,
    "cluster": 5,
    "cli": 6,
}
PUBLIC = {  # include/cola/NAME.h belongs to a module
    **dict.fromkeys(
        [
            "status",
            "memory",
            "shared_memory",
            "machine",
            "random",
            "hash",
            "log",
            "options",
            "threads",
            "clock",
            "exact_math",
            "build",
            "progress",
        ],
        "base",
    ),
    "chain": "chain",
    "chain_set": "chain",
    "model": "model",
    "task": "task",
    "grade": "task",
    "result": "task",
    "judge": "task",
    "search": "search",
    "engine": "engine",
    "record": "record",
    "merge": "record",
    "follow": "record",
    "recording": "record",
    "cross_record": "record",
    "timing": "record",
    "comm": "cluster",
    "cluster": "cluster",
    "cross": "cluster",
    "demand": "cluster",
    "synthetic": "cluster",
}


def module_of_include(include: str) -> str | None:
    """The module that an include belongs to; None for the system's."""
    if include.startswith("cola/"):
        return PUBLIC[include.removeprefix("cola/").removesuffix(".h")]
    first = include.split("/")[0]
    return first if first in LEVEL and "/" in include else None


def upward_includes(module: str, text: str) -> list[str]:
    """The includes of a file of `module` that do not point down (or stay inside it)."""
    found = []
    for include in INCLUDE.findall(text):
        other = module_of_include(include)
        if other is not None and other != module and LEVEL[other] >= LEVEL[module]:
            found.append(include)
    return found


def source_files() -> list[tuple[str, Path]]:
    """Every C and CUDA file of a module, headers of include/cola among them."""
    files = [
        (m, p)
        for m in LEVEL
        for pattern in ("*.[ch]", "*.cu", "*.cuh")
        for p in sorted((ROOT / "src" / m).rglob(pattern))
    ]
    return files + [(PUBLIC[p.stem], p) for p in sorted((ROOT / "include/cola").glob("*.h"))]


def test_every_public_header_has_a_module() -> None:
    """A new header must be given its place here."""
    assert {p.stem for p in (ROOT / "include/cola").glob("*.h")} == set(PUBLIC)


@pytest.mark.parametrize(
    ("module", "path"), source_files(), ids=lambda x: x if isinstance(x, str) else x.name
)
def test_includes_point_down(module: str, path: Path) -> None:
    """cli -> cluster -> record -> (search, engine) -> (task, model) -> chain -> base."""
    assert upward_includes(module, path.read_text()) == []


def test_an_upward_include_is_found() -> None:
    """Planted: base including the engine, search including the engine beside it, and one that is fine."""
    assert upward_includes("base", '#include "cola/engine.h"\n') == ["cola/engine.h"]
    assert upward_includes("search", ' # include "engine/state.h"\n') == ["engine/state.h"]
    assert upward_includes("engine", '#include "cola/task.h"\n#include <mpi.h>\n') == []


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        (r"mpi\.h", r"src/cluster/comm_mpi\.c"),
        (r"hdf5\.h|H5\w+\.h", r".*_hdf5\.c|src/task/h5\.h"),
        (r"xxhash\.h", r"src/base/hash\.c|src/cli/info_build\.c"),
        (r"immintrin\.h", r"src/engine/cpu/vector_\w+\.h"),
        (r"cuda\w*\.h", r"src/engine/cuda/(device|launch)\.h"),
    ],
)
def test_a_library_has_its_files(header: str, allowed: str) -> None:
    """One file calls MPI; HDF5 stays in files that a build without it leaves out; and so on."""
    sources = (ROOT / "src").rglob
    for path in [
        *sorted(sources("*.[ch]")),
        *sorted(sources("*.cu*")),
        *sorted((ROOT / "include").rglob("*.h")),
    ]:
        uses = any(re.fullmatch(header, include) for include in INCLUDE.findall(path.read_text()))
        name = path.relative_to(ROOT).as_posix()
        assert not uses or re.fullmatch(allowed, name), f"{name} includes {header}"
