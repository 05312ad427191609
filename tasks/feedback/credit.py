"""Credit assignment: how much a passage has helped, by verdicts on answers that cited it.

A passage's usefulness is a Beta posterior. Its prior is as strong as four verdicts, so that one
click moves little, and leans as the rest of its document does: an outdated paper is outdated
throughout. A verdict counts half after `learning.half_life_days`; one question has one vote, its
newest verdict, so that insisting does not help.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from thirdshift.learning import Feedback
from thirdshift.settings import settings

_PRIOR = 4.0  # verdicts seen before the first, half of them good
_SIBLINGS = 0.5  # what a verdict on the rest of the document counts in where the prior leans
_RISE, _FALL = 0.2, 0.5  # a weight lies between 1 - _FALL and 1 + _RISE
_SURE = 0.85  # probability of being more often bad than good, from which a chunk is flagged
_QUESTIONS = 3  # so many different ones must have been answered badly from it


@dataclass
class Credit:
    """A chunk's verdicts: decayed sums, and how many questions spoke against it."""

    good: float = 0.0
    bad: float = 0.0
    against: int = 0
    lean: float = 0.5  # the prior's mean

    @property
    def mean(self) -> float:
        """The posterior's mean, 0.5 without any verdict."""
        return (_PRIOR * self.lean + self.good) / (_PRIOR + self.good + self.bad)

    @property
    def weight(self) -> float:
        """What the chunk's score is weighed with; 1 without any verdict."""
        lean = 2 * self.mean - 1
        return 1 + lean * (_RISE if lean > 0 else _FALL)

    @property
    def is_consistently_bad(self) -> bool:
        """Whether the owner should look at the chunk."""
        from scipy.special import betainc

        # By its own verdicts alone: no passage is accused for its neighbours.
        below_half = float(betainc(_PRIOR / 2 + self.good, _PRIOR / 2 + self.bad, 0.5))
        return self.against >= _QUESTIONS and below_half >= _SURE


def credit(verdicts: Iterable[Feedback], today: date) -> dict[str, Credit]:
    """Return the credit of each chunk that was cited in an answer with a verdict."""
    credits: dict[str, Credit] = defaultdict(Credit)
    for feedback in newest(verdicts):
        if feedback.tier == "none":  # a refusal stood on nothing
            continue
        age = max((today - feedback.created_at.date()).days, 0)
        decay = 0.5 ** (age / settings().learning.half_life_days)
        chunks = feedback.chunk_ids
        for chunk, share in zip(chunks, shares(len(chunks)), strict=True):
            _add(credits[chunk], feedback, decay * share)
    return dict(credits)


def pooled(own: Mapping[str, Credit], documents: Mapping[str, str]) -> dict[str, Credit]:
    """Return the credit of each chunk of `documents` (chunk → document), leaning as its siblings.

    A chunk without a verdict of its own has the credit of its document's others.
    """
    sums: dict[str, Credit] = defaultdict(Credit)
    for chunk, document in documents.items():
        sums[document].good += own[chunk].good if chunk in own else 0.0
        sums[document].bad += own[chunk].bad if chunk in own else 0.0
    leaning = {}
    for chunk, document in documents.items():
        mine = own.get(chunk, Credit())
        good = _SIBLINGS * (sums[document].good - mine.good)
        bad = _SIBLINGS * (sums[document].bad - mine.bad)
        lean = (_PRIOR / 2 + good) / (_PRIOR + good + bad)
        leaning[chunk] = replace(mine, lean=lean)
    return leaning


def newest(verdicts: Iterable[Feedback]) -> list[Feedback]:
    """Return each question's newest verdict, oldest first."""
    ordered = sorted(verdicts, key=_moment)
    by_question = {question_key(feedback.question): feedback for feedback in ordered}
    return sorted(by_question.values(), key=_moment)


def _moment(feedback: Feedback) -> tuple[datetime, str]:
    return feedback.created_at, feedback.id


def question_key(question: str) -> str:
    """Return what is the same for a question written with other spaces, case or marks."""
    return "".join(char for char in question.casefold() if char.isalnum())


def shares(count: int) -> Sequence[float]:
    """Return the parts of a verdict for `count` sources, best first; they sum to 1.

    The first source gets most: it is what an answer mainly stands on, and what is read. Of
    three sources they are 0.86, 0.11 and 0.03.
    """
    # By 1/rank² an outdated second source gained: docs/log.md, 2026-11-24, "Verdicts that tell in
    # recall".
    parts = [1 / rank**3 for rank in range(1, count + 1)]
    return [part / sum(parts) for part in parts]


def _add(credit: Credit, feedback: Feedback, amount: float) -> None:
    if feedback.verdict == "good":
        credit.good += amount
    else:
        credit.bad += amount
        credit.against += 1
