"""What may be concluded from the numbers, in plain words, chosen case by case.

Each function turns counts into one paragraph. The wording follows the interval of a difference: clearly above
zero, clearly below, not distinguishable from it, or no samples to compare. Knows nothing of files or layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cola_analysis.findings import Comparison, Findings
from cola_analysis.statistics import Difference, Interval, Share


@dataclass(frozen=True)
class Target:
    """How a control's target is called: a wrong one of the choices, or another question's answer."""

    drawn: str
    """After "the": what one sample's control looks for."""
    one: str
    """The same, said a second time."""
    random: str
    """With its article: what a control looks for."""
    others: str
    """In general, after "than" or at the beginning of a clause."""
    arbitrary: str
    wrong: str
    """Both in general, where the verdict is given."""
    chance: str
    """Why some chain gives an answer by chance."""


WRONG_CHOICE = Target(
    drawn="drawn wrong answer",
    one="drawn wrong one",
    random="a randomly drawn wrong answer",
    others="wrong answers",
    arbitrary="arbitrary answers",
    wrong="arbitrary wrong answers",
    chance="with few choices and many chains, chance alone reaches most answers",
)
OTHER_QUESTION = Target(
    drawn="drawn answer of another question",
    one="drawn one",
    random="another question's answer, drawn at random,",
    others="other questions' answers",
    arbitrary="answers of other questions",
    wrong="answers of other questions",
    chance="with many chains, chance alone reaches some answers",
)


def _target(findings: Findings) -> Target:
    return OTHER_QUESTION if findings.outcomes.by_row else WRONG_CHOICE


NEWCOMBE = "by Newcombe's method for two proportions"
NEWCOMBE_PAIRED = "by Newcombe's method for paired proportions"


class Verdict(Enum):
    """Where the interval of a difference lies."""

    ABOVE = "above zero"
    BELOW = "below zero"
    UNCLEAR = "not distinguishable from zero"
    UNDEFINED = "no samples to compare"


def verdict(difference: Difference | None) -> Verdict:
    """Reads a difference by its interval; an interval that touches zero is unclear."""
    if difference is None:
        return Verdict.UNDEFINED
    if not difference.interval.excludes_zero():
        return Verdict.UNCLEAR
    return Verdict.ABOVE if difference.value > 0 else Verdict.BELOW


def conclude(run: Findings, control: Findings | None, comparison: Comparison | None) -> list[str]:
    """The paragraphs of a report, in order."""
    paragraphs = [_base(run)]
    if control is None or comparison is None:
        return [*paragraphs, _shorter_alone(run), _corrected_alone(run), _caution()]
    paragraphs += [_shorter(run, control, comparison), _corrected(run, control, comparison)]
    if run.corrected.n:
        paragraphs += [_paired(run, comparison), _verdict(run, comparison)]
        if run.outcomes.by_row:
            paragraphs.append(_limits_of_other_questions())
    return [*paragraphs, _caution()]


def percent(share: Share) -> str:
    """`55.0 %`; only for a share with samples."""
    assert share.value is not None
    return f"{100 * share.value:.1f} %"


def _interval(share: Share) -> str:
    assert share.interval is not None
    return f"95 % interval {_range(share.interval)} %"


def _range(interval: Interval, signed: bool = False) -> str:
    form = "+z.1f" if signed else "z.1f"
    return " to ".join(f"{100 * end:{form}}" for end in (interval.low, interval.high))


def _points(difference: Difference, method: str) -> str:
    return (
        f"difference of {100 * difference.value:+z.1f} percentage points "
        f"(95 % interval {_range(difference.interval, signed=True)}, {method})"
    )


def _samples(n: int) -> str:
    return "1 sample" if n == 1 else f"{n} samples"


def _base(run: Findings) -> str:
    return (
        f"The base chain, all layers once, answers {run.base.hits} of {_samples(run.base.n)} right: "
        f"{percent(run.base)} ({_interval(run.base)})."
    )


def _shorter_share(run: Findings) -> str:
    if run.shorter.n == 0:
        return (
            "Shorter chains: no sample was right at the base, so nothing may be said about shorter chains "
            "for "
            "right samples."
        )
    return (
        f"Shorter chains: of the {_samples(run.shorter.n)} right at the base, {percent(run.shorter)} "
        f"({_interval(run.shorter)}) stay right on some strictly shorter chain that the search visited."
    )


def _shorter_alone(run: Findings) -> str:
    text = _shorter_share(run)
    if run.shorter.n:
        text += (
            " Without a control it is not known how often an arbitrary answer survives shortening as well."
        )
    return text


def _shorter(run: Findings, control: Findings, comparison: Comparison) -> str:
    text, what = _shorter_share(run), _target(run)
    if run.shorter.n == 0:
        return text
    if comparison.shorter is None:
        return text + (
            f" No base chain of the control gave its {what.drawn}, so there is nothing to compare this with."
        )
    wording = {
        Verdict.ABOVE: "is clearly above zero: right answers survive shortening more often than "
        f"{what.others}.",
        Verdict.BELOW: f"is clearly below zero: {what.others} survive shortening more often than right ones.",
        Verdict.UNCLEAR: "is not distinguishable from zero: these samples do not tell whether right answers "
        f"survive shortening more often than {what.others}.",
    }
    return (
        f"{text} Of the {_samples(control.shorter.n)} whose base chain gives the {what.drawn}, "
        f"{percent(control.shorter)} keep that answer on a shorter chain. The "
        f"{_points(comparison.shorter, NEWCOMBE)} {wording[verdict(comparison.shorter)]}"
    )


def _corrected_share(run: Findings) -> str:
    if run.corrected.n == 0:
        return "Correction: no sample was wrong at the base, so nothing may be said about correction."
    return (
        f"Correction: {percent(run.corrected)} of the {_samples(run.corrected.n)} wrong at the base "
        f"({_interval(run.corrected)}) were corrected by some visited chain"
    )


def _corrected_alone(run: Findings) -> str:
    text = _corrected_share(run)
    if run.corrected.n == 0:
        return text
    return text + (
        f". Without a control nothing may be concluded about correction: {_target(run).chance}. Run "
        "`cola search` again with the same options and `--control wrong-answer`, and give that file as "
        "--control."
    )


def _corrected(run: Findings, control: Findings, comparison: Comparison) -> str:
    text, what = _corrected_share(run), _target(run)
    if run.corrected.n == 0:
        return text
    if comparison.corrected is None:
        return text + (
            f". In the control every base chain already gave the {what.drawn}, so there is nothing to "
            "compare this with, and nothing may be concluded about correction."
        )
    wording = {
        Verdict.ABOVE: "is clearly above zero. Only the difference, not the first share, speaks for "
        "correction.",
        Verdict.BELOW: f"is clearly below zero: {what.others} were reached more often than right ones, so "
        "the first "
        "share shows no correction beyond chance.",
        Verdict.UNCLEAR: "is not distinguishable from zero: these samples give no evidence that right "
        "answers are "
        "reached more often than arbitrary ones.",
    }
    link = "while" if verdict(comparison.corrected) is Verdict.ABOVE else "but"
    return (
        f"{text}, {link} the same search reached {what.random} for "
        f"{percent(control.corrected)} of the "
        f"{_samples(control.corrected.n)} whose base chain did not give it "
        f"({_interval(control.corrected)}). The "
        f"{_points(comparison.corrected, NEWCOMBE)} {wording[verdict(comparison.corrected)]}"
    )


def _paired(run: Findings, comparison: Comparison) -> str:
    paired, what = comparison.paired, _target(run)
    intro = "Like with like: the two shares above are over different samples"
    if run.base.hits:
        intro += ", the control's also over those right at the base, which may be harder or easier to move"
    intro += "."
    if paired.difference is None:
        return (
            f"{intro} No sample that both files count has a base chain that gives neither the right nor the "
            f"{what.drawn}, so the two cannot be compared on the same samples."
        )
    return (
        f"{intro} On the {_samples(paired.n)} whose base chain gives neither the right nor the {what.drawn}, "
        f"the search reached the right answer for {percent(paired.run)} and the {what.one} for "
        f"{percent(paired.control)}. The {_points(paired.difference, NEWCOMBE_PAIRED)} is "
        f"{_clearly(verdict(paired.difference))}."
    )


def _clearly(what: Verdict) -> str:
    return what.value if what is Verdict.UNCLEAR else f"clearly {what.value}"


def _verdict(run: Findings, comparison: Comparison) -> str:
    """The two comparisons together; correction is granted only where both say so."""
    what = _target(run)
    apart, same = verdict(comparison.corrected), verdict(comparison.paired.difference)
    if same is Verdict.UNDEFINED or apart is Verdict.UNDEFINED:
        return "Verdict: without samples for a fair comparison, correction beyond chance is not shown."
    if apart is not same:
        return (
            f"Verdict: undecided. The difference is {_clearly(apart)} over all samples and {_clearly(same)} "
            f"on the "
            "same samples; correction beyond chance is not shown."
        )
    if same is Verdict.ABOVE:
        assert comparison.paired.difference is not None
        return (
            f"Verdict: the search corrects wrong samples more often than it reaches {what.arbitrary}, by "
            f"about {100 * comparison.paired.difference.value:.0f} percentage points on the same samples; "
            "the rest of the corrected share is what chance gives as well."
        )
    if same is Verdict.BELOW:
        return (
            f"Verdict: the search reaches {what.wrong} more often than right ones; the corrected share "
            "shows no correction beyond chance."
        )
    return (
        "Verdict: with these samples correction cannot be told from chance. That is no proof of its "
        "absence: the "
        "intervals show which differences remain possible."
    )


def _limits_of_other_questions() -> str:
    return (
        "What this control does not measure: another question's answer is seldom near what the model says, "
        "so chance reaches it less often than an answer that is a slip away from the model's own. The "
        "differences above are upper bounds of correction beyond chance."
    )


def _caution() -> str:
    return (
        "Samples are the units of all shares and intervals, not chains: the chains of one sample are not "
        "independent. A chain counts as right because the search was told the answer, so no share of "
        "shorter or "
        "correcting chains is an accuracy that could be had without knowing it."
    )


def left_out(ours: Findings, theirs: Findings | None, comparison: Comparison | None) -> list[str]:
    """What a reader must know before the numbers: samples and chains that do not count."""
    notes = []
    for name, side in (("run", ours), ("control", theirs)):
        if side is None:
            continue
        o = side.outcomes
        if o.n_unfinished:
            notes.append(f"{name}: {o.n_unfinished} of {o.n_in_file} samples are unfinished and left out")
        if o.n_base_not_scored:
            notes.append(
                f"{name}: base chains without finite scores, which count as not right: {o.n_base_not_scored}"
            )
    if theirs and comparison and not comparison.n_common == ours.base.n == theirs.base.n:
        notes.append(
            f"run counts {ours.base.n} samples, control {theirs.base.n}, both only {comparison.n_common}: "
            "their shares are over different samples"
        )
    return notes
