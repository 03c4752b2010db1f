"""What the GPU's assembler says of each kernel, held against limits: no register is spilled to memory, and
none but the kernels named here have a stack. Reads the logs that the build keeps (ptxas -v) beside the
objects.

usage: resources.py DIRECTORY ARCHITECTURE...     e.g. resources.py build/tests/cuda 80 90a 100

Shared memory is asked for at launch, so its limits are checked there: products.cu at compile time,
attention.cu against the device's own limit.
"""

import re
import sys
from pathlib import Path

KERNEL = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
WITH_STACK = {"route_rows": 64}  # its 16 lane sums, walked by an index: a thread a row, far from any peak


def name_of(mangled: str) -> str:
    """The kernel's own name: _Z9norm_rows.. and _Z8multiplyIt.. say how long it is."""
    found = re.match(r"_Z(\d+)", mangled)
    if not found:
        return mangled
    return mangled[found.end() : found.end() + int(found[1])]


def read(log: str) -> list[tuple[str, str, int, int]]:
    """Of each kernel and architecture in one log: name, architecture, bytes of stack, bytes spilled."""
    kernels: list[tuple[str, str, int, int]] = []
    present: tuple[str, str] | None = None
    for line in log.splitlines():
        if begin := KERNEL.search(line):
            present = (name_of(begin[1]), begin[2])
        elif present and (sizes := STACK.search(line)):
            kernels.append((*present, int(sizes[1]), int(sizes[2]) + int(sizes[3])))
            present = None
    return kernels


def complaints(logs: dict[str, str], architectures: list[str]) -> list[str]:
    """What is wrong, one line each; a log without kernels of every architecture is wrong too."""
    found = []
    for file, log in sorted(logs.items()):
        kernels = read(log)
        missing = set(architectures) - {architecture for _, architecture, _, _ in kernels}
        if missing:
            found.append(f"{file}: no kernel for {', '.join(sorted(missing))}")
        for name, architecture, stack, spilled in kernels:
            if spilled:
                found.append(f"{file}: {name} for sm_{architecture} spills {spilled} bytes of registers")
            elif stack > WITH_STACK.get(name, 0):
                found.append(f"{file}: {name} for sm_{architecture} has a stack of {stack} bytes")
    return found or ([] if logs else ["no logs: build the cuda back end first"])


def main() -> int:
    """Exit status 1 with a line for each thing that is wrong."""
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    logs = {path.name: path.read_text() for path in Path(sys.argv[1]).glob("*.log")}
    wrong = complaints(logs, sys.argv[2:])
    for line in wrong:
        print(line)
    if not wrong:
        print(f"{sum(len(read(log)) for log in logs.values())} kernels, nothing spilled")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
