"""The gate: a candidate must be better on what the owner teaches, and no worse at all else.

Measured in pairs, base beside candidate, on examples neither was trained on. A gain must be beyond
chance; a loss must be neither beyond chance nor above the tolerance. Small sets lie, so below a
minimum nothing is decided.
"""

from collections.abc import Collection, Sequence
from statistics import mean

from tasks.learning.evaluation.criteria import (
    at_least_half,
    at_most,
    gain,
    no_certain_loss,
    no_loss,
)
from tasks.learning.evaluation.fluency import Text, distinct, is_sound
from tasks.learning.evaluation.held_out import HeldOut, require_held_out
from tasks.learning.evaluation.likelihood_child import Row
from tasks.learning.evaluation.measuring import (
    Measuring,
    Model,
    PairedAnswers,
    margins,
    nearness,
)
from tasks.learning.evaluation.regression_set import RegressionSet, regression_set
from thirdshift.evaluation import AnsweredTwice, Criterion, Verdict
from thirdshift.learning import Method
from thirdshift.settings import settings


class Judge:
    """A candidate beside its base, on held-out data and on the general regression set.

    `served` is what answers the owner now, where that is not the base: a new version must not
    be worse than the last at what the owner taught. `known` are clusters of which that was taught
    something: those held out are others each night, and on these it would win unfairly.
    """

    def __init__(
        self,
        base: Model,
        candidate: Model,
        held_out: Sequence[HeldOut],
        *,
        served: Model | None = None,
        known: Collection[int] = (),
        general: RegressionSet | None = None,
    ) -> None:
        """Raise TooLittleData, naming what is missing, where nothing can be decided."""
        require_held_out(held_out)
        self._models, self._served = Measuring(base, candidate), served
        self._held_out = held_out
        self._unknown = [row for row in held_out if row.cluster not in known]
        self._accepted = [Row.asked(row.prompt, row.wanted) for row in held_out]
        self._clusters = [row.cluster for row in held_out]
        self._general = general or regression_set()

    def judge(self, name: str, method: Method) -> Verdict:
        """Measure and decide; raises Preempted where the run is to yield."""
        asked = [row.prompt for row in self._held_out]
        answers = self._models.answers([*asked, *(item.prompt for item in self._general.prompts)])
        owners = answers[: len(self._held_out)]
        before, after = self._models.texts(answers)
        learnt = self._preferences if method == "dpo" else self._examples
        criteria = [*learnt(owners), *self._progress(), *self._abilities()]
        criteria += self._right(answers[len(self._held_out) :])
        taught = -mean(self._models.base.likelihoods(self._accepted))
        criteria += _health(before, after, taught)
        shown = self._shown(answers, after)
        return Verdict(candidate=name, method=method, criteria=criteria, answers=shown)

    def _examples(self, answers: PairedAnswers) -> list[Criterion]:
        """Want the accepted answers likelier, and generated ones no less near to them."""
        likelihoods = self._models.likelihoods(self._accepted)
        near = nearness(self._held_out, answers)
        return [
            gain("likelihood of accepted answers", "nats per token", likelihoods, self._clusters),
            no_loss("nearness to the accepted answers", "similarity", near, self._clusters),
        ]

    def _preferences(self, answers: PairedAnswers) -> list[Criterion]:
        """Want the chosen to gain on the rejected, not only by losing less, and to be written."""
        chosen = self._models.likelihoods(self._accepted)
        rejected = self._models.likelihoods(
            [Row.asked(row.prompt, row.rejected) for row in self._held_out]
        )
        leads, near = margins(chosen, rejected), nearness(self._held_out, answers)
        won = [float(after > before) for before, after in zip(*leads, strict=True)]
        return [
            gain("lead of the chosen", "nats per token", leads, self._clusters),
            gain("preference accuracy", "share", ([0.5] * len(won), won), self._clusters),
            no_loss("likelihood of the chosen", "nats per token", chosen, self._clusters),
            no_loss("answers nearer the chosen", "similarity", near, self._clusters),
        ]

    def _progress(self) -> list[Criterion]:
        """Want no step back behind what is served, where enough is new to both."""
        if self._served is None or len(self._unknown) < settings().judging.min_held_out:
            return []
        rows = [Row.asked(row.prompt, row.wanted) for row in self._unknown]
        pair = self._served.likelihoods(rows), self._models.candidate.likelihoods(rows)
        name, clusters = "likelihood beside what is served", [row.cluster for row in self._unknown]
        return [no_loss(name, "nats per token", pair, clusters)]

    def _abilities(self) -> list[Criterion]:
        """Want what every model should know kept, all together and skill by skill."""
        items = self._general.items
        base, candidate = self._models.leanings(items)
        criteria = [no_loss("general ability", "share", (base, candidate))]
        for skill in dict.fromkeys(item.skill for item in items):
            members = [number for number, item in enumerate(items) if item.skill == skill]
            pair = [base[number] for number in members], [candidate[number] for number in members]
            criteria.append(no_certain_loss(f"ability: {skill}", "share", pair))
        return criteria

    def _right(self, answers: PairedAnswers) -> list[Criterion]:
        """Want right answers kept; what the base cannot, nobody can lose."""
        prompts = self._general.prompts
        after = [
            float(prompt.is_right(new))
            for prompt, old, new in zip(prompts, answers.base, answers.candidate, strict=True)
            if prompt.right and prompt.is_right(old)
        ]
        pair = [1.0] * len(after), after
        return [no_certain_loss("right answers", "share", pair)] if after else []

    def _shown(self, answers: PairedAnswers, texts: Sequence[Text]) -> list[AnsweredTwice]:
        wanted = [*(row.wanted for row in self._held_out), *[""] * len(self._general.prompts)]
        rows = zip(answers.prompts, answers.base, answers.candidate, wanted, texts, strict=True)
        return [
            AnsweredTwice(prompt=prompt, base=old, candidate=new, wanted=accepted, nats=text.nats)
            for prompt, old, new, accepted, text in rows
        ]


def _health(before: Sequence[Text], after: Sequence[Text], taught: float) -> list[Criterion]:
    """Want texts that the base finds believable: no loops, no scraps, not all the same.

    An owner's style is strange to the base. So an answer may be as strange as the accepted ones
    are, `taught` nats per token in the mean, unless these are gibberish themselves.
    (docs/log.md, 2026-11-24 "Taught, judged, served, taken back")
    """
    judging = settings().judging
    excused = taught if taught < judging.gibberish else 0.0
    likely = [-max(text.nats, excused) for text in before], [-text.nats for text in after]
    sound = (
        [float(is_sound(text, judging.gibberish)) for text in before],
        [float(is_sound(text, judging.gibberish)) for text in after],
    )
    variety = distinct([text.text for text in before]), distinct([text.text for text in after])
    return [
        at_most(judging.max_strangeness, "believable answers", "nats per token", likely),
        at_most(judging.max_unsound, "sound answers", "share", sound),
        at_least_half("variety of answers", "distinct words", *variety, n=len(after)),
    ]
