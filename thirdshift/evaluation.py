"""Records of evaluation: what was measured of a candidate beside its base, what was decided."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from thirdshift.learning import Method
from thirdshift.records import Record, now

Unit = Literal["nats per token", "share", "similarity", "distinct words"]


class Interval(Record):
    """A mean over `n` items or groups with its bootstrap confidence interval."""

    mean: float
    low: float
    high: float
    n: int


class Criterion(Record):
    """One thing the gate asks: base and candidate side by side, what was wanted, if it held.

    `change` is candidate minus base, so written that more is better.
    """

    name: str
    unit: Unit
    base: float
    candidate: float
    change: Interval
    wanted: str
    held: bool

    @property
    def sentence(self) -> str:
        """Name, both figures, the interval and what was wanted, in words."""
        change = f"{self.change.mean:+.3f} [{self.change.low:+.3f}, {self.change.high:+.3f}]"
        return (
            f"{self.name}: {self.base:.3f} became {self.candidate:.3f} {self.unit}, "
            f"change {change} over {self.change.n}, wanted {self.wanted}"
        )


class AnsweredTwice(Record):
    """One prompt, answered by the base and by the candidate."""

    prompt: str
    base: str
    candidate: str
    wanted: str = ""  # the accepted answer, where there is one
    nats: float = 0.0  # per token, of the candidate's answer under the base


class Verdict(Record):
    """The gate's decision on a candidate."""

    candidate: str
    method: Method
    criteria: list[Criterion]
    answers: list[AnsweredTwice]
    decided_at: datetime = Field(default_factory=now)

    @property
    def promoted(self) -> bool:
        """Whether the candidate may be served."""
        return all(criterion.held for criterion in self.criteria)

    @property
    def reason(self) -> str:
        """What decided: the gain where all held, else every criterion that did not."""
        broken = [criterion for criterion in self.criteria if not criterion.held]
        return "; ".join(criterion.sentence for criterion in broken or self.criteria[:1])
