"""The boxed answers of a generated text, found as the program's grader finds them (docs/graders.md)."""

from __future__ import annotations


def boxes(text: str) -> list[str]:
    r"""The contents of every \boxed{..} and \fbox{..} whose braces close within 512 bytes."""
    found = []
    for name in ("\\boxed", "\\fbox"):
        at = text.find(name)
        while at >= 0:
            begin = at + len(name)
            while text[begin : begin + 1] == " ":
                begin += 1
            end = _closing(text, begin)
            if end is not None and text[begin + 1 : end].strip():
                found.append((at, text[begin + 1 : end].strip()))
            at = text.find(name, at + 1)
    return [content for _, content in sorted(found)]


def _closing(text: str, begin: int) -> int | None:
    depth, at = 0, begin
    if text[begin : begin + 1] != "{":
        return None
    while at < min(len(text), begin + 514):
        if text[at] == "\\":
            at += 1
        elif text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return None
