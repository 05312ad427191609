"""The gate: a candidate must be better on what the owner teaches, and no worse at all else.

Measured in pairs, base beside candidate, on examples neither was trained on. A gain must be beyond
chance; a loss must be neither beyond chance nor above the tolerance. Small sets lie, so below a
minimum nothing is decided.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Literal

from tasks.learning.evaluation.criteria import (
    Pair,
    at_least_half,
    at_most,
    gain,
    no_certain_loss,
    no_loss,
)
from tasks.learning.evaluation.fluency import Text, distinct, is_sound
from tasks.learning.evaluation.likelihood import weigh
from tasks.learning.evaluation.likelihood_child import Row, Weighed
from tasks.learning.evaluation.regression import RegressionSet, leaning, regression_set
from thirdshift.errors import TooLittleData
from thirdshift.evaluation import Answered, Criterion, Verdict
from thirdshift.records import Record
from thirdshift.settings import settings

Method = Literal["lora", "dpo"]
Answers = Callable[[Sequence[str]], list[str]]  # prompts to answers, in order


class HeldOut(Record):
    """What the owner accepted and the candidate never saw; `rejected` in preferences only."""

    prompt: str
    wanted: str
    rejected: str = ""
    topic: str


@dataclass(frozen=True)
class Model:
    """A model to judge: how it weighs (MLX folder and adapter), and how it answers when served."""

    base: Path
    adapter: Path | None
    answers: Answers

    def weigh(self, rows: Sequence[Row]) -> list[Weighed]:
        """Return the likelihood of each row."""
        return weigh(self.base, self.adapter, rows)


@dataclass(frozen=True)
class Said:
    """What both models answered to the same prompts."""

    prompts: Sequence[str]
    base: Sequence[str]
    candidate: Sequence[str]

    def __getitem__(self, part: slice) -> "Said":
        return Said(self.prompts[part], self.base[part], self.candidate[part])


class Judge:
    """A candidate beside its base, on held-out data and on the general regression set.

    `served` is what answers the owner now, where that is not the base: a new version must not
    be worse than the last at what the owner taught. `known` are topics of which that was taught
    something: the topics held out are others each night, and on these it would win unfairly.
    """

    def __init__(
        self,
        base: Model,
        candidate: Model,
        held_out: Sequence[HeldOut],
        *,
        served: Model | None = None,
        known: Collection[str] = (),
        general: RegressionSet | None = None,
    ) -> None:
        """Raise TooLittleData, naming what is missing, where nothing can be decided."""
        require(held_out)
        self._base, self._candidate, self._served = base, candidate, served
        self._held_out = held_out
        self._unknown = [one for one in held_out if one.topic not in known]
        self._topics = [one.topic for one in held_out]
        self._general = general or regression_set()

    def judge(self, name: str, method: Method) -> Verdict:
        """Measure and decide; raises Preempted where the run is to yield."""
        said = self._ask()
        mine, others = said[: len(self._held_out)], said[len(self._held_out) :]
        texts = self._texts(said.prompts, said.base), self._texts(said.prompts, said.candidate)
        learnt = self._preferences if method == "dpo" else self._examples
        criteria = [*learnt(mine), *self._progress(), *self._abilities(), *self._right(others)]
        criteria += _health(*texts, taught=-mean(self._accepted()))
        return Verdict(
            candidate=name, method=method, criteria=criteria, answers=self._shown(said, texts[1])
        )

    def _ask(self) -> Said:
        asked = [one.prompt for one in self._held_out]
        asked += [one.prompt for one in self._general.prompts]
        return Said(asked, self._base.answers(asked), self._candidate.answers(asked))

    def _examples(self, said: Said) -> list[Criterion]:
        """Want the accepted answers likelier, and generated ones no less near to them."""
        rows = [Row.asked(one.prompt, one.wanted) for one in self._held_out]
        costs = self._costs(rows)
        near = self._nearness(said.base), self._nearness(said.candidate)
        return [
            gain("likelihood of accepted answers", "nats per token", costs, self._topics),
            no_loss("nearness to the accepted answers", "similarity", near, self._topics),
        ]

    def _preferences(self, said: Said) -> list[Criterion]:
        """Want the chosen to gain on the rejected, not only by losing less, and to be written."""
        chosen = self._costs([Row.asked(one.prompt, one.wanted) for one in self._held_out])
        rejected = self._costs([Row.asked(one.prompt, one.rejected) for one in self._held_out])
        margins = [
            [ours - theirs for ours, theirs in zip(*pair, strict=True)]
            for pair in zip(chosen, rejected, strict=True)
        ]
        won = [float(after > before) for before, after in zip(*margins, strict=True)]
        near = self._nearness(said.base), self._nearness(said.candidate)
        return [
            gain("lead of the chosen", "nats per token", (margins[0], margins[1]), self._topics),
            gain("preference accuracy", "share", ([0.5] * len(won), won), self._topics),
            no_loss("likelihood of the chosen", "nats per token", chosen, self._topics),
            no_loss("answers nearer the chosen", "similarity", near, self._topics),
        ]

    def _progress(self) -> list[Criterion]:
        """Want no step back behind what is served, where enough is new to both."""
        if self._served is None or len(self._unknown) < settings().judging.min_held_out:
            return []
        rows = [Row.asked(one.prompt, one.wanted) for one in self._unknown]
        pair = _costs(self._served, rows), _costs(self._candidate, rows)
        name, topics = "likelihood beside what is served", [one.topic for one in self._unknown]
        return [no_loss(name, "nats per token", pair, topics)]

    def _abilities(self) -> list[Criterion]:
        """Want what every model should know kept, all together and skill by skill."""
        items = self._general.items
        rows = [[Row.asked(item.prompt, one) for one in item.continuations] for item in items]

        def leanings(model: Model) -> list[float]:
            weighed = iter(model.weigh([row for item in rows for row in item]))
            return [leaning([next(weighed).nats for _ in item]) for item in rows]

        pair = leanings(self._base), leanings(self._candidate)
        criteria = [no_loss("general ability", "share", pair)]
        for skill in dict.fromkeys(item.skill for item in items):
            at = [number for number, item in enumerate(items) if item.skill == skill]
            part = [pair[0][one] for one in at], [pair[1][one] for one in at]
            criteria.append(no_certain_loss(f"ability: {skill}", "share", part))
        return criteria

    def _right(self, said: Said) -> list[Criterion]:
        """Want right answers kept; what the base cannot, nobody can lose."""
        after = [
            float(prompt.is_right(new))
            for prompt, old, new in zip(
                self._general.prompts, said.base, said.candidate, strict=True
            )
            if prompt.right and prompt.is_right(old)
        ]
        pair = [1.0] * len(after), after
        return [no_certain_loss("right answers", "share", pair)] if after else []

    def _texts(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Text]:
        """Weigh answers under the base model; an empty one has no likelihood."""
        rows = [Row.asked(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        weighed = iter(self._base.weigh([row for row in rows if row.completion]))
        return [
            Text(text=row.completion, nats=next(weighed).cost if row.completion else 0.0)
            for row in rows
        ]

    def _nearness(self, answers: Sequence[str]) -> list[float]:
        """Return how near each answer comes to what was wanted, less how near to the rejected."""
        from rapidfuzz.fuzz import ratio

        return [
            (ratio(answer, one.wanted) - (ratio(answer, one.rejected) if one.rejected else 0)) / 100
            for one, answer in zip(self._held_out, answers, strict=True)
        ]

    def _accepted(self) -> list[float]:
        """Return how likely the base finds each accepted answer, nats per token."""
        return _costs(self._base, [Row.asked(one.prompt, one.wanted) for one in self._held_out])

    def _costs(self, rows: Sequence[Row]) -> Pair:
        """Return the mean log-probability of each row's tokens: more is better."""
        return _costs(self._base, rows), _costs(self._candidate, rows)

    def _shown(self, said: Said, texts: Sequence[Text]) -> list[Answered]:
        wanted = [*(one.wanted for one in self._held_out), *[""] * len(self._general.prompts)]
        rows = zip(said.prompts, said.base, said.candidate, wanted, texts, strict=True)
        return [
            Answered(prompt=prompt, base=old, candidate=new, wanted=accepted, nats=text.nats)
            for prompt, old, new, accepted, text in rows
        ]


def _costs(model: Model, rows: Sequence[Row]) -> list[float]:
    return [-one.cost for one in model.weigh(rows)]


def require(held_out: Sequence[HeldOut]) -> None:
    """Raise TooLittleData where the held-out set is too small to tell a gain from luck."""
    items, topics = settings().judging.min_held_out, settings().judging.min_topics
    there = len({one.topic for one in held_out})
    if len(held_out) < items or there < topics:
        raise TooLittleData(
            f"Held out are {len(held_out)} of {items} items, from {there} of {topics} topics.",
            "Accept, correct or prefer more answers, about more things.",
        )


def _health(before: Sequence[Text], after: Sequence[Text], taught: float) -> list[Criterion]:
    """Want texts that the base finds believable: no loops, no scraps, not all the same.

    An owner's style is strange to the base. So an answer may be as strange as the accepted ones
    are, `taught` nats per token in the mean, unless these are gibberish themselves.
    """
    judging = settings().judging
    excused = taught if taught < judging.gibberish else 0.0
    likely = [-max(text.nats, excused) for text in before], [-text.nats for text in after]
    sound = (
        [float(is_sound(text, judging.gibberish)) for text in before],
        [float(is_sound(text, judging.gibberish)) for text in after],
    )
    variety = distinct([one.text for one in before]), distinct([one.text for one in after])
    return [
        at_most(judging.max_strangeness, "believable answers", "nats per token", likely),
        at_most(judging.max_unsound, "sound answers", "share", sound),
        at_least_half("variety of answers", "distinct words", *variety, n=len(after)),
    ]
