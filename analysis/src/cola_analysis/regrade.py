"""The command `cola-regrade`: grades a run's stored answers again, with math-verify, and lists differences.

The search graded with the program's own graders (docs/graders.md); math-verify is another's work, so
agreement says something. It is optional: without it the command says how to install it.

Exit status: 0 done, 1 a file that cannot be used or math-verify is missing, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cola_analysis import __version__
from cola_analysis.decode import Answers
from cola_analysis.read import Run, RunError

ABOUT = """\
Decodes the tokens that every chain of a run generated, grades them again with math-verify and lists the
chains on which it and the search disagree."""

EPILOG = """\
math-verify is not installed with this program:
  pip install 'math-verify==0.9.0' 'antlr4-python3-runtime==4.13.2'

exit status: 0 done; 1 a file cannot be used, or math-verify is missing; 2 wrong usage"""

RULES = ("boxed", "number")
CELLS = ("both right", "only the search right", "only math-verify right", "neither right")
TIMEOUT_S = 5

Judge = Callable[[str, str], bool]
"""(gold, text) -> is the text right?"""


@dataclass(frozen=True)
class Disagreement:
    """A chain on which the two graders differ."""

    sample: str
    row: int
    chain: int
    search_right: bool
    gold: str
    answer: str
    text: str


@dataclass(frozen=True)
class Regraded:
    """Counts over all chains with an answer, and the chains where the graders differ."""

    counts: Counter[str]
    n_without_tokens: int
    n_without_gold: int
    disagreements: list[Disagreement]

    @property
    def n(self) -> int:
        """Chains graded by both."""
        return sum(self.counts.values())


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


def math_verify_judge(rule: str) -> Judge:
    """math-verify as a judge of a rule; RunError with instructions where it is not installed."""
    try:
        from math_verify import parse, verify
    except ImportError as error:
        raise RunError(
            "math-verify is not installed; cola-regrade needs it:\n"
            "  pip install 'math-verify==0.9.0' 'antlr4-python3-runtime==4.13.2'"
        ) from error
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)

    def equal(gold: str, answer: str) -> bool:
        return bool(
            verify(
                parse(gold, parsing_timeout=TIMEOUT_S),
                parse(answer, parsing_timeout=TIMEOUT_S),
                timeout_seconds=TIMEOUT_S,
            )
        )

    def boxed(gold: str, text: str) -> bool:
        return any(equal(f"${gold.strip('$')}$", f"\\boxed{{{box}}}") for box in dict.fromkeys(boxes(text)))

    def number(gold: str, text: str) -> bool:
        _, hashes, after = text.partition("####")
        return equal(gold.rpartition("####")[2].strip(), after.partition("\n")[0].strip() if hashes else text)

    return boxed if rule == "boxed" else number


def regrade(run: Run, answers: Answers, judge: Judge) -> Regraded:
    """Grades every chain of a run that generated something; the same answer to the same question once."""
    counts: Counter[str] = Counter()
    disagreements = []
    without_tokens = without_gold = 0
    known: dict[tuple[str, str], bool] = {}
    reward = run.chains["reward"]
    for sample in range(len(run.samples)):
        gold = answers.sought(sample)
        first, last = run.chain_rows(sample)
        if gold is None:
            without_gold += last - first
            continue
        for row in range(first, last):
            if not answers.has_tokens(row):
                without_tokens += 1
                continue
            text = answers.text(row)
            if (gold, text) not in known:
                known[gold, text] = judge(gold, text)
            ours, theirs = bool(reward[row] == 1), known[gold, text]
            counts[CELLS[2 * (not ours) + (not theirs)]] += 1
            if ours != theirs:
                found = boxes(text)
                disagreements.append(
                    Disagreement(
                        run.sample_name(sample),
                        row,
                        row - first,
                        ours,
                        gold,
                        found[-1] if found else "",
                        text,
                    )
                )
    return Regraded(counts, without_tokens, without_gold, disagreements)


def report(result: Regraded, run: Run, limit: int) -> str:
    """Counts, then at most `limit` disagreements (0: all)."""
    lines = [f"run  {run.path}", f"chains graded by both: {result.n}"]
    lines += [f"  {name:<24}{result.counts[name]:>10}" for name in CELLS]
    if result.n:
        same = result.counts[CELLS[0]] + result.counts[CELLS[3]]
        lines.append(f"agreement: {same} of {result.n} ({100 * same / result.n:.2f} %)")
    if result.n_without_tokens:
        lines.append(f"without generated tokens, not graded: {result.n_without_tokens}")
    if result.n_without_gold:
        lines.append(f"of samples without an answer to look for, not graded: {result.n_without_gold}")
    shown = result.disagreements[: limit or None]
    for d in shown:
        side = (
            "search: right, math-verify: not" if d.search_right else "search: not right, math-verify: right"
        )
        answer = d.answer or d.text[-80:]
        lines.append(f"{d.sample}, chain {d.chain}: {side}; gold {d.gold!r}, answer {answer!r}")
    if len(shown) < len(result.disagreements):
        lines.append(f"and {len(result.disagreements) - len(shown)} more: --limit 0 shows all")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The command line, documented by --help."""
    p = argparse.ArgumentParser(
        prog="cola-regrade",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("run", metavar="RUN.h5", help="result of `cola search` on tasks of score rule generate")
    p.add_argument(
        "--tasks",
        metavar="TASKS.h5",
        help="the tasks that were searched, for the vocabulary; default: tasks.h5 beside RUN.h5",
    )
    p.add_argument(
        "--rule", choices=RULES, help="the grader's rule; default: the run's attribute `grader`, or boxed"
    )
    p.add_argument(
        "--limit", metavar="N", type=int, default=20, help="disagreements shown, 0: all (default 20)"
    )
    p.add_argument("--json", action="store_true", help="print JSON with every disagreement instead of text")
    p.add_argument("--version", action="version", version=f"cola-analysis {__version__}")
    return p


def _rule(run: Run, asked: str | None) -> str:
    rule = asked or str(run.attributes.get("grader", "boxed"))
    if rule not in RULES:
        raise RunError(f"{run.path}: grader {rule!r}; math-verify can grade {' and '.join(RULES)}")
    return rule


def _tasks(options: argparse.Namespace) -> str:
    beside = Path(options.run).with_name("tasks.h5")
    if options.tasks is None and not beside.exists():
        raise RunError(f"{beside}: no such file; name the tasks that were searched: --tasks TASKS.h5")
    return str(options.tasks or beside)


def main(arguments: Sequence[str] | None = None, judge: Judge | None = None) -> int:
    """Runs the command and returns its exit status; `judge` replaces math-verify (for tests)."""
    options = parser().parse_args(arguments)
    if options.limit < 0:
        parser().error(f"--limit {options.limit}: expected 0 or more")
    try:
        with Run.open(options.run) as run:
            answers = Answers.open(run, _tasks(options))
            result = regrade(run, answers, judge or math_verify_judge(_rule(run, options.rule)))
            if options.json:
                print(
                    json.dumps(
                        {
                            "run": options.run,
                            "counts": {name: result.counts[name] for name in CELLS},
                            "without_tokens": result.n_without_tokens,
                            "without_gold": result.n_without_gold,
                            "disagreements": [asdict(d) for d in result.disagreements],
                        },
                        indent=2,
                        ensure_ascii=False,
                    )
                )
            else:
                print(report(result, run, options.limit))
    except RunError as error:
        print(f"cola-regrade: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
