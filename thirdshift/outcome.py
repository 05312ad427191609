"""The outcome of a run: what every flow returns, and what the morning report counts."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import Field

from thirdshift.records import Record, now

OutcomeStatus = Literal[
    "done", "nothing_to_do", "skipped", "waiting", "deferred", "preempted", "failed"
]


class Check(Record):
    """A postcondition that was looked at: what was claimed, and whether it held."""

    claim: str
    held: bool


class Outcome(Record):
    """How a run ended, why, and what it made.

    `done` is only reached through `Outcome.checked`, which refuses it where a postcondition
    did not hold or none was looked at.
    """

    status: OutcomeStatus
    reason: str
    produced: list[str] = Field(default_factory=list)
    checks: list[Check] = Field(default_factory=list)

    @classmethod
    def checked(cls, reason: str, produced: Iterable[str], **claims: bool) -> "Outcome":
        """Return `done` where every claim holds, else `failed` naming those that do not.

        Claims are keyword arguments: `report_is_newer_than_the_run=True`.
        """
        checks = [Check(claim=name.replace("_", " "), held=held) for name, held in claims.items()]
        broken = [check.claim for check in checks if not check.held]
        if not checks:
            broken = ["a postcondition was checked"]
        status: OutcomeStatus = "failed" if broken else "done"
        if broken:
            reason = f"{reason} But it does not hold that: {'; '.join(broken)}."
        return cls(status=status, reason=reason, produced=list(produced), checks=checks)


class Ran(Record):
    """An outcome as it is kept: whose, when, how long."""

    id: str
    flow: str
    run_name: str
    started_at: datetime
    seconds: float
    joules: float | None = None
    outcome: Outcome
    recorded_at: datetime = Field(default_factory=now)

    @property
    def run(self) -> str:
        """The run's id in Prefect; a run that was put off has several tries, `run@time` each."""
        return self.id.partition("@")[0]


class MemoryFigures(Record):
    """What memory holds."""

    documents: dict[str, int]  # by kind
    chunks: int
    megabytes: float


class Shift(Record):
    """A night: what ran, what was lost and what memory holds; all that its report says."""

    since: datetime
    until: datetime
    runs: list[Ran]
    lost: list[str]  # runs that ended without an outcome, a line each
    memory: MemoryFigures
    brief: str = ""
