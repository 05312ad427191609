"""Records of the gate: what was measured of a candidate beside its base, and what was decided."""

from datetime import datetime
from typing import Literal

from pydantic import Field

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


class Answered(Record):
    """One prompt, answered by the base and by the candidate."""

    prompt: str
    base: str
    candidate: str
    wanted: str = ""  # the accepted answer, where there is one
    nats: float = 0.0  # per token, of the candidate's answer under the base


class Verdict(Record):
    """The gate's decision on a candidate."""

    candidate: str
    method: Literal["lora", "dpo"]
    criteria: list[Criterion]
    answers: list[Answered]
    decided_at: datetime = Field(default_factory=now)

    @property
    def promoted(self) -> bool:
        """Whether the candidate may be served."""
        return all(one.held for one in self.criteria)

    @property
    def reason(self) -> str:
        """What decided: the gain where all held, else every criterion that did not."""
        broken = [one for one in self.criteria if not one.held]
        return "; ".join(said(one) for one in broken or self.criteria[:1])


def said(one: Criterion) -> str:
    """Return a criterion in words: name, both figures, the interval, what was wanted."""
    change = f"{one.change.mean:+.3f} [{one.change.low:+.3f}, {one.change.high:+.3f}]"
    return (
        f"{one.name}: {one.base:.3f} became {one.candidate:.3f} {one.unit}, "
        f"change {change} over {one.change.n}, wanted {one.wanted}"
    )
