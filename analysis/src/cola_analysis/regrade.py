"""The command `cola-regrade`: grades what a run stored again, with a grader chosen, and lists differences.

The search graded with the program's own graders (docs/graders.md). math-verify is another's work, so
agreement says something; it is optional: without it the command says how to install it. graders.py has
those of published code, regrade_scores.py the metrics of scored candidates. None needs the model.

Exit status: 0 done, 1 a file that cannot be used or math-verify is missing, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cola_analysis import __version__
from cola_analysis.boxes import boxes
from cola_analysis.decode import Answers
from cola_analysis.graders import FITS, JUDGES, Judge
from cola_analysis.read import Run, RunError
from cola_analysis.regrade_scores import METRICS, by_metric

ABOUT = """\
Grades again what every chain of a run gave, with another grader and without the model, and lists the chains
on which it and the search disagree. Generated answers are decoded with the vocabulary of the tasks; scored
choices (letter, loglik) are compared by another metric."""

EPILOG = """\
graders: math-verify   generated answers (boxed, number), compared by value
         last-box      the last \\boxed only, compared as text (PoLar's search code)
         last-number   the last number of the text
         first-letter  generated letters: the first that stands alone (Dr.LLM's search code)
         acc, acc_norm scored choices: the largest sum, or the largest sum per byte of the choice

math-verify is not installed with this program:
  pip install 'math-verify==0.9.0' 'antlr4-python3-runtime==4.13.2'

exit status: 0 done; 1 a file cannot be used, or math-verify is missing; 2 wrong usage"""

RULES = ("boxed", "number")
TIMEOUT_S = 5


def cells(grader: str) -> tuple[str, str, str, str]:
    """The four ways in which the search and the grader may judge a chain."""
    return ("both right", "only the search right", f"only {grader} right", "neither right")


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

    grader: str
    counts: Counter[str]
    n_without_tokens: int
    n_without_gold: int
    disagreements: list[Disagreement]

    @property
    def n(self) -> int:
        """Chains graded by both."""
        return sum(self.counts.values())


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


def regrade(run: Run, answers: Answers, judge: Judge, grader: str = "math-verify") -> Regraded:
    """Grades every chain of a run that generated something; the same answer to the same question once."""
    counts: Counter[str] = Counter()
    disagreements = []
    without_tokens = without_gold = 0
    known: dict[tuple[str, str], bool] = {}
    reward = run.column("chains/reward")
    names = cells(grader)
    letters = run.attributes.get("grader") == "letter"
    for sample in range(run.n_samples):
        target = int(run.column("samples/target")[sample])
        gold = answers.sought(sample) if not letters or target < 0 else chr(ord("A") + target)
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
            counts[names[2 * (not ours) + (not theirs)]] += 1
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
    return Regraded(grader, counts, without_tokens, without_gold, disagreements)


def report(result: Regraded, run: Run, limit: int) -> str:
    """Counts, then at most `limit` disagreements (0: all)."""
    lines = [f"run  {run.path}", f"chains graded by both: {result.n}"]
    names = cells(result.grader)
    lines += [f"  {name:<24}{result.counts[name]:>10}" for name in names]
    if result.n:
        same = result.counts[names[0]] + result.counts[names[3]]
        lines.append(f"agreement: {same} of {result.n} ({100 * same / result.n:.2f} %)")
    if result.n_without_tokens:
        lines.append(f"without generated tokens, not graded: {result.n_without_tokens}")
    if result.n_without_gold:
        lines.append(f"of samples without an answer to look for, not graded: {result.n_without_gold}")
    shown = result.disagreements[: limit or None]
    for d in shown:
        ours, theirs = ("right", "not") if d.search_right else ("not right", "right")
        side = f"search: {ours}, {result.grader}: {theirs}"
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
    p.add_argument("run", metavar="RUN.h5", help="result of `cola search`")
    p.add_argument(
        "--grader",
        choices=("math-verify", *JUDGES, *METRICS),
        help="who grades; default: math-verify for generated answers, acc_norm for scored choices",
    )
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


def _scored(run: Run, options: argparse.Namespace) -> str:
    """Scored choices by another metric."""
    grader = options.grader or "acc_norm"
    if grader not in METRICS:
        raise RunError(
            f"{run.path}: score rule {run.attribute('score')}: nothing was generated; "
            f"only `generate` stores tokens to grade, scores are graded by {' or '.join(METRICS)}"
        )
    result = by_metric(run, grader)
    return json.dumps(result.as_json(), indent=2) if options.json else "\n".join(result.lines())


def _generated(run: Run, options: argparse.Namespace, judge: Judge | None) -> str:
    """Generated answers by another grader."""
    grader = options.grader or "math-verify"
    if grader in METRICS:
        raise RunError(f"{run.path}: answers were generated, and have no scores to compare by {grader}")
    ours = run.attributes.get("grader")
    if grader in FITS and ours not in FITS[grader]:
        raise RunError(f"{run.path}: grader {ours!r}; {grader} is for runs of {' or '.join(FITS[grader])}")
    answers = Answers.open(run, _tasks(options))
    chosen = judge or JUDGES.get(grader) or math_verify_judge(_rule(run, options.rule))
    result = regrade(run, answers, chosen, grader)
    if not options.json:
        return report(result, run, options.limit)
    told = {
        "run": options.run,
        "grader": grader,
        "counts": {name: result.counts[name] for name in cells(grader)},
        "without_tokens": result.n_without_tokens,
        "without_gold": result.n_without_gold,
        "disagreements": [asdict(d) for d in result.disagreements],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


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
            print(_scored(run, options) if not run.generated else _generated(run, options, judge))
    except RunError as error:
        print(f"cola-regrade: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
