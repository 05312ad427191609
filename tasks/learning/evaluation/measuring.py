"""Paired measurements: base beside candidate, the same prompts and the same rows.

Every figure is written so that more is better, and comes as a pair: of the base, of the candidate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.learning.evaluation import likelihood
from tasks.learning.evaluation.criteria import Pair
from tasks.learning.evaluation.fluency import Text
from tasks.learning.evaluation.held_out import HeldOut
from tasks.learning.evaluation.likelihood_child import Row, Weighed
from tasks.learning.evaluation.regression_set import Item, leaning

Generate = Callable[[Sequence[str]], list[str]]  # prompts to answers, in order


@dataclass(frozen=True)
class Model:
    """A model to judge: how it weighs (MLX folder and adapter), and how it answers when served."""

    base: Path
    adapter: Path | None
    answers: Generate

    def weigh(self, rows: Sequence[Row]) -> list[Weighed]:
        """Return the likelihood of each row."""
        return likelihood.weigh(self.base, self.adapter, rows)

    def likelihoods(self, rows: Sequence[Row]) -> list[float]:
        """Return the mean log-probability of each row's tokens, in nats."""
        return [-weighed.cost for weighed in self.weigh(rows)]

    def leanings(self, items: Sequence[Item]) -> list[float]:
        """Return how far the model leans to the right continuation of each item, 0..1."""
        rows = [[Row.asked(item.prompt, text) for text in item.continuations] for item in items]
        weighed = iter(self.weigh([row for continuations in rows for row in continuations]))
        return [leaning([next(weighed).nats for _ in continuations]) for continuations in rows]


@dataclass(frozen=True)
class PairedAnswers:
    """What both models answered to the same prompts."""

    prompts: Sequence[str]
    base: Sequence[str]
    candidate: Sequence[str]

    def __getitem__(self, part: slice) -> "PairedAnswers":
        return PairedAnswers(self.prompts[part], self.base[part], self.candidate[part])


@dataclass(frozen=True)
class Measuring:
    """Both models, measured in the same way."""

    base: Model
    candidate: Model

    def answers(self, prompts: Sequence[str]) -> PairedAnswers:
        """Let both answer."""
        return PairedAnswers(prompts, self.base.answers(prompts), self.candidate.answers(prompts))

    def likelihoods(self, rows: Sequence[Row]) -> Pair:
        """Return the mean log-probability of each row's tokens."""
        return self.base.likelihoods(rows), self.candidate.likelihoods(rows)

    def leanings(self, items: Sequence[Item]) -> Pair:
        """Return how far each leans to the right continuations."""
        return self.base.leanings(items), self.candidate.leanings(items)

    def texts(self, answers: PairedAnswers) -> tuple[list[Text], list[Text]]:
        """Return both models' answers, weighed under the base."""
        before = self._weighed(answers.prompts, answers.base)
        return before, self._weighed(answers.prompts, answers.candidate)

    def _weighed(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Text]:
        """Weigh answers under the base model; an empty one has no likelihood."""
        rows = [Row.asked(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        weighed = iter(self.base.weigh([row for row in rows if row.completion]))
        return [
            Text(text=row.completion, nats=next(weighed).cost if row.completion else 0.0)
            for row in rows
        ]


def nearness(rows: Sequence[HeldOut], answers: PairedAnswers) -> Pair:
    """Return how near each answer comes to what was wanted, less how near to the rejected."""
    return _nearness(rows, answers.base), _nearness(rows, answers.candidate)


def _nearness(rows: Sequence[HeldOut], answers: Sequence[str]) -> list[float]:
    from rapidfuzz.fuzz import ratio

    return [
        (ratio(answer, row.wanted) - (ratio(answer, row.rejected) if row.rejected else 0)) / 100
        for row, answer in zip(rows, answers, strict=True)
    ]


def margins(chosen: Pair, rejected: Pair) -> Pair:
    """Return how much likelier each model finds the chosen than the rejected, pair by pair."""
    base, candidate = (
        [better - worse for better, worse in zip(*pair, strict=True)]
        for pair in zip(chosen, rejected, strict=True)
    )
    return base, candidate
