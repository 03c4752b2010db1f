"""What the pages say exists: links lead somewhere, the guide's commands have the options that it gives them,
and the version is the same wherever it is written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
MODULES = {
    "cola-findings": "cola_analysis.cli",
    "cola-report": "cola_analysis.report",
    "cola-export": "cola_analysis.export_cli",
    "cola-import-chains": "cola_analysis.import_chains",
}
SCRIPTS = {
    "prepare.py": "jobs/prepare.py",
    "fetch_model.py": "jobs/fetch_model.py",
    "sweep.py": "jobs/sweep.py",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def calls(word: str) -> bool:
    """Whether a word is a program of ours, given with its path."""
    return "/" in word and Path(word).name in ("cola", *MODULES, *SCRIPTS)


def commands(page: str) -> list[list[str]]:
    """The words of each indented line that calls a program of ours."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    found = [line.partition("  #")[0].split() for line in lines if line.startswith("    ")]
    return [words for words in found if any(calls(word) for word in words)]


def help_of(program: Path, words: list[str]) -> tuple[str, list[str]]:
    """The help of the command that a line calls, and the options that the line gives it."""
    at = next(i for i, word in enumerate(words) if calls(word))
    name, rest = Path(words[at]).name, words[at + 1 :]
    if name == "cola":
        command: list[str | Path] = [program, rest[0]]
    elif name in MODULES:
        command = [sys.executable, "-m", MODULES[name]]
    else:
        command = [sys.executable, str(ROOT / SCRIPTS[name])]
    text = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
    return text, [word for word in rest if re.fullmatch(r"--[a-z][a-z-]*|-[a-z]", word)]


def test_the_guides_commands_have_their_options(program: Path) -> None:
    lines = commands("guide.md")
    assert len(lines) > 20
    for words in lines:
        text, options = help_of(program, words)
        known = set(re.findall(r"--?[a-z][a-z-]*", text)) | {"--version"}
        assert set(options) <= known, (" ".join(words), set(options) - known)


def test_the_version_is_the_same_everywhere() -> None:
    found = {
        "CMakeLists.txt": r"project\(cola VERSION (\S+)",
        "CITATION.cff": r"(?m)^version: (\S+)",
        "CHANGELOG.md": r"(?m)^## (\d\S*?),? ",
        "analysis/pyproject.toml": r'(?m)^version = "(.*)"',
        "analysis/src/cola_analysis/__init__.py": r'__version__ = "(.*)"',
    }
    versions = {}
    for path, pattern in found.items():
        match = re.search(pattern, (ROOT / path).read_text())
        assert match, path
        versions[path] = match[1]
    assert len(set(versions.values())) == 1, versions
