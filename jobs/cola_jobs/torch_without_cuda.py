"""Makes PyPI's PyTorch for Linux importable without CUDA's libraries, for `jobs/setup.sh compare`.

That wheel is linked against 3 GB of CUDA libraries which a run on the CPU never calls, and PyPI has no other
for x86-64. The loader nevertheless wants each of them, with every symbol. So this writes one small library
that has those symbols, and links to it under the names of the libraries that are missing; beside torch's own,
where torch looks last, so that real ones win once they are installed. Calling one of the symbols ends the
process with a message. Needs gcc, nm and readelf, which building cola needs too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

DRIVER = "libcuda.so.1"  # comes with a GPU's driver, and torch loads it only when it finds one
STUB = "libcola_no_cuda.so"
CUDA_LIBRARY = re.compile(r"lib(cu|nv|nccl)\w*\.so[.\d]*$", re.IGNORECASE)
CUDA_SYMBOL = re.compile(r"(cu|nv|nccl)\w+$", re.IGNORECASE)
MESSAGE = (
    "this PyTorch was installed without CUDA libraries by jobs/setup.sh compare: it runs on the CPU only\\n"
)


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def missing_libraries(torch_lib: Path) -> list[str]:
    """The CUDA libraries that torch is linked against and that neither torch/lib nor nvidia/*/lib has."""
    needed: set[str] = set()
    for library in torch_lib.glob("*.so"):
        needed.update(re.findall(r"\(NEEDED\).*\[(.*)\]", _output("readelf", "-dW", library)))
    there = {path.name for folder in [torch_lib, *_nvidia(torch_lib)] for path in folder.iterdir()}
    return sorted(name for name in needed - there if CUDA_LIBRARY.match(name) and name != DRIVER)


def _nvidia(torch_lib: Path) -> list[Path]:
    return sorted((torch_lib.parent.parent / "nvidia").glob("*/lib"))


def missing_symbols(torch_lib: Path) -> dict[str, set[str]]:
    """What torch asks of CUDA and no library there defines: symbols by version, "" for those without one."""
    asked, defined = defaultdict(set), set()
    for library in [*torch_lib.glob("*.so*"), *(p for f in _nvidia(torch_lib) for p in f.glob("*.so*"))]:
        for line in _output("nm", "-D", "--with-symbol-versions", library).splitlines():
            kind, symbol = line.split()[-2:]
            name, _, version = symbol.replace("@@", "@").partition("@")
            if kind not in "UwvW" or kind in "WV":
                defined.add(name)
            elif library.parent == torch_lib and CUDA_SYMBOL.match(name):
                asked[version].add(name)
    return {version: names - defined for version, names in asked.items() if names - defined}


def write_stub(torch_lib: Path, symbols: dict[str, set[str]]) -> None:
    """Compiles the one library with all symbols under their versions."""
    names = sorted(set().union(*symbols.values()))
    source = [
        "#include <stdlib.h>",
        "#include <unistd.h>",
        f'static void refuse(void) {{ static const char m[] = "{MESSAGE}";'
        " if (write(2, m, sizeof m - 1) < 0) abort(); abort(); }",
        *(f"void {name}(void) {{ refuse(); }}" for name in names),
    ]
    script = [
        f"{version} {{ global: {' '.join(f'{name};' for name in sorted(found))} }};"
        for version, found in symbols.items()
        if version
    ]
    map_file = torch_lib / (STUB + ".map")
    map_file.write_text("\n".join(script) + "\n")
    command = ["gcc", "-w", "-O1", "-fno-builtin", "-shared", "-fPIC", "-x", "c", "-", "-o", torch_lib / STUB]
    command += [f"-Wl,-soname,{STUB}", f"-Wl,--version-script={map_file}"]
    subprocess.run(command, input="\n".join(source), text=True, check=True)
    map_file.unlink()


def main(site_packages: str) -> int:
    """Makes what is missing beside the torch in this folder; nothing where nothing is missing."""
    torch_lib = Path(site_packages) / "torch" / "lib"
    if not torch_lib.is_dir():
        print(f"{torch_lib}: no such folder; install torch first", file=sys.stderr)
        return 1
    libraries = missing_libraries(torch_lib)
    if libraries:
        symbols = missing_symbols(torch_lib)
        write_stub(torch_lib, symbols)
        for name in libraries:
            (torch_lib / name).symlink_to(STUB)
        print(
            f"{len(libraries)} CUDA libraries that are not installed have a stand-in: {' '.join(libraries)}"
        )
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: torch_without_cuda.py SITE-PACKAGES", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
