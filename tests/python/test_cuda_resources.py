"""tests/cuda/resources.py finds what it is there to find."""

import importlib.util

import pytest
from conftest import ROOT

spec = importlib.util.spec_from_file_location("resources", ROOT / "tests/cuda/resources.py")
assert spec is not None and spec.loader is not None
resources = importlib.util.module_from_spec(spec)
spec.loader.exec_module(resources)

LOG = """ptxas info    : Compiling entry function '_Z9norm_rowsPKf' for 'sm_80'
ptxas info    : Function properties for _Z9norm_rowsPKf
    {stack} bytes stack frame, {spilled} bytes spill stores, {spilled} bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers
"""


@pytest.mark.parametrize(
    ("stack", "spilled", "architectures", "expected"),
    [
        (0, 0, ["80"], []),
        (8, 8, ["80"], ["a.log: norm_rows for sm_80 spills 16 bytes of registers"]),
        (8, 0, ["80"], ["a.log: norm_rows for sm_80 has a stack of 8 bytes"]),
        (0, 0, ["80", "90a"], ["a.log: no kernel for 90a"]),
    ],
)
def test_spills_stacks_and_missing_architectures_are_told(
    stack: int, spilled: int, architectures: list[str], expected: list[str]
) -> None:
    log = LOG.format(stack=stack, spilled=spilled)
    assert resources.complaints({"a.log": log}, architectures) == expected


def test_no_log_is_a_complaint() -> None:
    assert resources.complaints({}, ["80"]) != []


def test_a_template_has_its_own_name() -> None:
    assert resources.name_of("_Z8multiplyItLi64ELi64EEv8products") == "multiply"
