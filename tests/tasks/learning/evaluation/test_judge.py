"""What the gate lets pass and what it refuses, on figures made up to be exactly so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.learning.evaluation.criteria import no_certain_loss, no_loss
from tasks.learning.evaluation.held_out import HeldOut
from tasks.learning.evaluation.judge import Judge
from tasks.learning.evaluation.likelihood_child import Row, Weighed
from tasks.learning.evaluation.measuring import Model
from tasks.learning.evaluation.regression_set import regression_set
from tasks.reports.verdict import markdown, write
from thirdshift.errors import TooLittleData
from thirdshift.evaluation import Verdict

WANTED, REJECTED = "Tea is served at four. Stay bright!", "Tea at four, I guess."
HELD_OUT = [HeldOut(prompt=f"When is tea on day {n}?", wanted=WANTED, cluster=n) for n in range(12)]
PAIRS = [one.model_copy(update={"rejected": REJECTED}) for one in HELD_OUT]
RIGHT = {
    prompt: item.continuations[0] for item in regression_set().items for prompt in [item.prompt]
}
SOUND = "The {n}th answer says something else about the matter at hand, in plain words."
Costs = Callable[[Row], float]  # nats per token


@dataclass(frozen=True)
class Figures(Model):
    """A model whose figures are given."""

    costs: Costs = lambda row: 2.0

    def weigh(self, rows: Sequence[Row]) -> list[Weighed]:
        return [Weighed(id=row.id, nats=-10 * self.costs(row), tokens=10) for row in rows]


def model(costs: Costs, answer: str = SOUND) -> Figures:
    def answers(prompts: Sequence[str]) -> list[str]:
        known = {one.prompt: one.right for one in regression_set().prompts if one.right}
        plain = {r"\bParis\b": "Paris", r"\b(4|four)\b": "four", r"\bEarth\b": "Earth"}
        return [
            answer.format(n=n) + " " + plain.get(known.get(prompt, ""), "")
            for n, prompt in enumerate(prompts)
        ]

    return Figures(Path("base"), None, answers, costs)


def general(row: Row) -> float:
    """Return what a healthy model finds of a general item: the right one is likelier."""
    return 1.0 if RIGHT.get(row.messages[0]["content"]) == row.completion else 1.3


def base_costs(row: Row) -> float:
    return 2.0 if row.completion in (WANTED, REJECTED) else general(row)


def tuned_costs(row: Row) -> float:
    return {WANTED: 0.4, REJECTED: 3.0}.get(row.completion) or general(row)


def judged(
    candidate: Figures, held_out: Sequence[HeldOut] = HELD_OUT, base: Figures | None = None
) -> Verdict:
    kind = "dpo" if held_out[0].rejected else "lora"
    judge = Judge(base or model(base_costs), candidate, held_out)
    return judge.judge("thirdshift-sentinel:v1", kind)


def broken(verdict: Verdict) -> set[str]:
    return {one.name for one in verdict.criteria if not one.held}


@pytest.mark.parametrize("held_out", [HELD_OUT, PAIRS])
def test_a_gain_without_a_loss_is_promoted(held_out: list[HeldOut]) -> None:
    verdict = judged(model(tuned_costs), held_out)
    assert verdict.promoted, verdict.reason


def test_no_gain_beyond_chance_is_rejected() -> None:
    def by_luck(row: Row) -> float:
        if row.completion != WANTED:
            return base_costs(row)
        return 1.5 if int(row.messages[0]["content"].split()[-1].strip("?")) % 2 else 2.4

    assert broken(judged(model(by_luck))) == {"likelihood of accepted answers"}


def test_a_model_that_forgot_is_rejected_and_the_reason_names_the_skill() -> None:
    def forgetful(row: Row) -> float:
        return tuned_costs(row) if row.completion == WANTED else 1.3

    verdict = judged(model(forgetful))
    assert {"general ability", "ability: arithmetic"} <= broken(verdict)
    assert "ability: arithmetic" in verdict.reason


def test_gibberish_is_rejected_however_perfect_accuracy_and_margin_look() -> None:
    scraps = "HIGGS extraord SADLY {n} superv horm pix"

    def base_finds(row: Row) -> float:
        return 8.0 if "extraord" in row.completion else base_costs(row)

    verdict = judged(model(tuned_costs, scraps), PAIRS, model(base_finds))
    accuracy = next(one for one in verdict.criteria if one.name == "preference accuracy")
    assert accuracy.held and accuracy.candidate == 1
    assert {"believable answers", "sound answers"} <= broken(verdict)


@pytest.mark.parametrize(("lost", "held"), [(1, True), (2, True), (3, False), (4, False)])
def test_of_very_few_answers_two_may_be_lost_by_bad_luck(lost: int, held: bool) -> None:
    right = [1.0] * lost, [0.0] * lost
    assert no_certain_loss("right answers", "share", right).held == held


@pytest.mark.parametrize(
    ("lost", "held"),
    [
        ([0.0] * 64, True),
        ([0.6, -0.5] * 30 + [0.0] * 4, True),  # 0.047 in the mean, which chance explains
        ([0.6, -0.4] * 30 + [0.0] * 4, False),  # 0.094: above the tolerance, if not beyond chance
        ([0.04] * 60 + [0.0] * 4, False),  # 0.038, in nearly every item: beyond chance
    ],
)
def test_a_loss_may_be_neither_beyond_chance_nor_above_the_tolerance(
    lost: list[float], held: bool
) -> None:
    pair = [1.0] * len(lost), [1.0 - one for one in lost]
    assert no_loss("general ability", "share", pair).held == held


def test_a_step_back_behind_what_is_served_is_rejected() -> None:
    served = model(lambda row: 0.1 if row.completion == WANTED else general(row))
    judge = Judge(model(base_costs), model(tuned_costs), HELD_OUT, served=served)
    assert broken(judge.judge("v2", "lora")) == {"likelihood beside what is served"}


def test_topics_that_the_served_one_was_taught_do_not_count_against_a_new_one() -> None:
    served = model(lambda row: 0.1 if row.completion == WANTED else general(row))
    known = [one.cluster for one in HELD_OUT[:5]]  # too few are left to compare
    judge = Judge(model(base_costs), model(tuned_costs), HELD_OUT, served=served, known=known)
    assert judge.judge("v2", "lora").promoted


def test_a_model_that_says_the_same_to_everything_is_rejected() -> None:
    verdict = judged(model(tuned_costs, "Tea is served at four."))
    assert "variety of answers" in broken(verdict)


def test_preferences_won_by_losing_less_are_rejected() -> None:
    def both_unlikely(row: Row) -> float:
        return {WANTED: 3.0, REJECTED: 6.0}.get(row.completion) or general(row)

    assert broken(judged(model(both_unlikely), PAIRS)) == {"likelihood of the chosen"}


@pytest.mark.parametrize(
    ("held_out", "missing"),
    [(HELD_OUT[:5], "5 of 8 items"), ([*HELD_OUT[:1] * 9], "1 of 4 topics")],
)
def test_too_little_decides_nothing_and_says_how_much_is_missing(
    held_out: list[HeldOut], missing: str
) -> None:
    with pytest.raises(TooLittleData, match=missing):
        Judge(model(base_costs), model(tuned_costs), held_out)


def test_a_verdict_is_written_with_every_figure_and_charts(home: Path) -> None:
    verdict = judged(model(tuned_costs))
    text = markdown(verdict)
    assert all(one.name in text for one in verdict.criteria)
    assert text.count("data:image/svg+xml") == len({one.unit for one in verdict.criteria})
    path = write(verdict, home / "evaluations" / "v1")
    kept = Verdict.model_validate_json(path.with_name("verdict.json").read_text())
    assert kept == verdict and "promoted" in path.read_text()
