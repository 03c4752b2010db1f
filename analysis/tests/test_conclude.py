"""The wording in each case: which words appear, and which must not."""

from __future__ import annotations

from cola_analysis.conclude import Verdict, conclude, verdict
from cola_analysis.findings import Findings, compare, find
from cola_analysis.outcomes import Outcomes, RightChain, SampleOutcome
from cola_analysis.statistics import Difference, Interval, Share


def sample(index: int, target: int, base: int, right_depth: int | None) -> SampleOutcome:
    chain = None if right_depth is None else RightChain(right_depth, 5)
    return SampleOutcome(index, f"q{index}", 0, target, base, 6, 10, None if chain is None else 3, chain)


def findings(target: int, bases: list[int], hits: list[bool]) -> Findings:
    """Gold 0, base depth 6. A hit is a right chain of depth 5; a right base without a hit stays at 6."""
    samples = []
    for i, (base, hit) in enumerate(zip(bases, hits, strict=True)):
        depth = 5 if hit else 6 if base == target else None
        samples.append(sample(i, target, base, depth))
    return find(Outcomes(tuple(samples), len(samples), len(samples), 0, len(samples), 0, 0, 0), "made")


def text(run: Findings, control: Findings | None) -> str:
    return "\n".join(conclude(run, control, compare(run, control) if control else None))


def hits(n: int, of: int) -> list[bool]:
    return [i < n for i in range(of)]


WRONG = [2] * 40  # bases that give neither gold (0) nor the control's target (1)


def test_verdict_follows_the_interval() -> None:
    assert verdict(None) is Verdict.UNDEFINED
    assert verdict(Difference(0.2, Interval(0.1, 0.3))) is Verdict.ABOVE
    assert verdict(Difference(-0.2, Interval(-0.3, -0.1))) is Verdict.BELOW
    assert verdict(Difference(0.2, Interval(-0.1, 0.5))) is Verdict.UNCLEAR
    assert verdict(Difference(0.2, Interval(0.0, 0.5))) is Verdict.UNCLEAR


def test_clear_positive_difference_is_called_correction_beyond_chance() -> None:
    out = text(findings(0, WRONG, hits(30, 40)), findings(1, WRONG, hits(10, 40)))
    assert "Correction: 75.0 % of the 40 samples wrong at the base (95 % interval 59.8 to 85.8 %)" in out
    assert "while the same search reached a randomly drawn wrong answer for 25.0 % of the 40 samples" in out
    # Wilson: 59.81 to 85.81 and 14.19 to 40.19; 50 - sqrt(2) 15.19 = 28.5, 50 + sqrt(2) 10.81 = 65.3
    assert "difference of +50.0 percentage points (95 % interval +28.5 to +65.3, by Newcombe's method" in out
    assert "is clearly above zero. Only the difference, not the first share, speaks for correction." in out
    assert (
        "Verdict: the search corrects wrong samples more often than it reaches arbitrary answers, by " in out
    )
    assert "about 50 percentage points on the same samples" in out
    assert "not distinguishable" not in out


def test_clear_negative_difference_is_called_no_correction() -> None:
    out = text(findings(0, WRONG, hits(10, 40)), findings(1, WRONG, hits(30, 40)))
    assert "but the same search reached a randomly drawn wrong answer for 75.0 %" in out
    assert "difference of -50.0 percentage points" in out
    assert "is clearly below zero: wrong answers were reached more often than right ones" in out
    assert "Verdict: the search reaches arbitrary wrong answers more often than right ones" in out
    assert "above zero" not in out


def test_small_difference_is_called_not_distinguishable() -> None:
    out = text(findings(0, WRONG, hits(22, 40)), findings(1, WRONG, hits(24, 40)))
    assert "difference of -5.0 percentage points" in out
    assert "is not distinguishable from zero: these samples give no evidence" in out
    assert "Verdict: with these samples correction cannot be told from chance. That is no proof" in out
    assert "clearly" not in out


def test_disagreeing_comparisons_leave_the_verdict_undecided() -> None:
    # The control's share is low only for its 60 samples that were right at the base and did not move.
    bases = WRONG + [0] * 60
    run = findings(0, bases, hits(20, 40) + [True] * 60)
    control = findings(1, bases, hits(20, 40) + [False] * 60)
    out = text(run, control)
    assert "is clearly above zero. Only the difference" in out
    assert "On the 40 samples whose base chain gives neither" in out
    assert "Verdict: undecided. The difference is clearly above zero over all samples and not " in out
    assert "distinguishable from zero on the same samples; correction beyond chance is not shown." in out


def test_without_control_nothing_is_concluded() -> None:
    out = text(findings(0, [0, *WRONG], [True, *hits(30, 40)]), None)
    assert "75.0 % of the 40 samples" in out
    assert "Without a control nothing may be concluded about correction" in out
    assert "--control wrong-answer" in out
    assert "Without a control it is not known how often an arbitrary answer survives shortening" in out
    assert "Verdict" not in out and "difference" not in out


def test_no_right_sample_is_said() -> None:
    out = text(findings(0, WRONG, hits(30, 40)), findings(1, WRONG, hits(10, 40)))
    assert "answers 0 of 40 samples right: 0.0 % (95 % interval 0.0 to 8.8 %)" in out
    assert "Shorter chains: no sample was right at the base, so nothing may be said" in out


def test_no_wrong_sample_is_said_without_a_verdict() -> None:
    run, control = findings(0, [0] * 8, [True] * 8), findings(1, [0] * 8, [False] * 8)
    for out in (text(run, control), text(run, None)):
        assert "Correction: no sample was wrong at the base, so nothing may be said about correction." in out
        assert "Verdict" not in out and "Like with like" not in out
    assert "No base chain of the control gave its drawn wrong answer" in text(run, control)


def test_no_sample_for_a_fair_comparison_shows_nothing() -> None:
    # Every wrong base gives the drawn answer: the control has nothing to reach, and no sample pairs.
    run, control = findings(0, [1] * 5, [True] * 5), findings(1, [1] * 5, [True] * 5)
    out = text(run, control)
    assert "In the control every base chain already gave the drawn wrong answer" in out
    assert "the two cannot be compared on the same samples" in out
    assert "Verdict: without samples for a fair comparison, correction beyond chance is not shown." in out


def test_shorter_chains_are_compared_in_each_direction() -> None:
    def shorter(mine: int, theirs: int) -> str:
        run = findings(0, [0] * 30, hits(mine, 30))
        return text(run, findings(1, [1] * 30, hits(theirs, 30)))

    assert "right answers survive shortening more often than wrong answers" in shorter(29, 10)
    assert "wrong answers survive shortening more often than right ones" in shorter(10, 29)
    assert "these samples do not tell whether right answers survive" in shorter(29, 28)


def test_units_and_the_known_answer_are_always_said() -> None:
    for control in (None, findings(1, WRONG, hits(3, 40))):
        out = text(findings(0, WRONG, hits(3, 40)), control)
        assert "Samples are the units of all shares and intervals, not chains" in out
        assert "the search was told the answer" in out


def test_share_of_helper_matches_plan() -> None:
    f = findings(0, [0, 0, 2, 2, 2], [True, False, True, False, False])
    assert (f.base, f.shorter, f.corrected) == (Share(2, 5), Share(1, 2), Share(1, 3))
