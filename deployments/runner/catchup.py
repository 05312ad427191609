"""Catch-up: carries out what `tasks.runs.schedule` decides on the scheduled runs of each poll.

The order is: note what is meant, cancel, tell the ledger, create, note what is done. Whatever
breaks off in between is decided again at the next poll, and each of these can be done twice. So
a run starts only once it is noted that it does, and nothing is dropped without a word.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from deployments.catalogue import Deployment
from tasks.machine.disk import write_whole
from tasks.runs import schedule
from tasks.runs.schedule import (
    Due,
    Mark,
    Policy,
    ScheduleDecision,
    Skip,
)
from thirdshift.settings import settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

UNTOUCHED = ("Scheduled", "Late")  # as Prefect's scheduler left it: no gate put it off, no retry

log = logging.getLogger("prefect.runner.catchup")


class Effects(Protocol):
    """What the decisions act on: Prefect, and the ledger."""

    async def active(self, deployment: UUID) -> bool:
        """Tell whether the deployment and its schedule are switched on."""

    async def cancel(self, run: str, reason: str) -> None:
        """Cancel a scheduled run, as Skipped."""

    async def create(self, deployment: UUID, occurrence: datetime) -> None:
        """Create a run for an occurrence that has none; the second time does nothing."""

    async def tell(self, policy: Policy, skip: Skip) -> None:
        """Keep in the ledger what was dropped; the second time does nothing."""


def policy_of(entry: Deployment) -> Policy | None:
    """Return what the catalogue says on missed times of a deployment; None: it has no schedule."""
    if entry.schedule is None:
        return None
    allowed = timedelta(hours=entry.max_lateness) if entry.max_lateness else None
    return Policy(
        name=entry.name, cron=entry.schedule, catch_up=entry.catch_up, max_lateness=allowed
    )


class CatchUp:
    """Lets through the runs that are to start, and sees to the others."""

    def __init__(self, effects: Effects, marks: MutableMapping[str, Mark]) -> None:
        self.policies: dict[UUID, Policy] = {}
        self._effects = effects
        self._marks = marks
        self._complained: dict[str, str] = {}
        self._one = asyncio.Lock()  # a poll for an event may meet the poll of the second

    async def sift(
        self, runs: Iterable["FlowRun"], now: datetime, zone: ZoneInfo
    ) -> list["FlowRun"]:
        """Return those of Prefect's due runs that are to start now."""
        listed = list(runs)
        ours = [run for run in listed if self._decides_on(run)]
        passing = [run for run in listed if run not in ours]
        async with self._one:
            for deployment, policy in self.policies.items():
                theirs = {str(run.id): run for run in ours if run.deployment_id == deployment}
                chosen = await self._settle(deployment, policy, theirs, now, zone)
                passing += [theirs[name] for name in chosen]
        return passing

    def _decides_on(self, run: "FlowRun") -> bool:
        return (
            run.deployment_id in self.policies
            and run.auto_scheduled
            and run.state is not None
            and run.state.name in UNTOUCHED
        )

    async def _settle(
        self,
        deployment: UUID,
        policy: Policy,
        runs: Mapping[str, "FlowRun"],
        now: datetime,
        zone: ZoneInfo,
    ) -> tuple[str, ...]:
        due = [Due(id=name, at=_due(run)) for name, run in runs.items()]
        decision = schedule.judge(policy, self._marks.get(policy.name), due, now, zone)
        try:
            chosen = await self._carry_out(deployment, policy, decision, now)
        except Exception as error:  # server, store or disk: nothing is noted, the next poll retries
            self._complain(policy.name, repr(error))
            return ()
        self._complained.pop(policy.name, None)
        return chosen

    async def _carry_out(
        self, deployment: UUID, policy: Policy, decision: ScheduleDecision, now: datetime
    ) -> tuple[str, ...]:
        mark = decision.mark
        self._note(policy.name, schedule.intending(self._marks.get(policy.name), decision, now))
        for run, reason in decision.cancel.items():
            await self._effects.cancel(run, reason)
        if (decision.create or decision.skips) and not await self._effects.active(deployment):
            mark = schedule.passed_over(self._marks.get(policy.name) or mark, now)
        else:
            for skip in decision.skips:
                log.warning("%s: %d dropped. %s", policy.name, skip.count, skip.reason)
                await self._effects.tell(policy, skip)
            if decision.create:
                await self._effects.create(deployment, decision.create)
        self._note(policy.name, mark)
        return decision.start

    def _note(self, name: str, mark: Mark) -> None:
        if mark != self._marks.get(name):
            self._marks[name] = mark

    def _complain(self, name: str, what: str) -> None:
        if self._complained.get(name) != what:  # a poll comes each second
            self._complained[name] = what
            log.warning("%s waits; its schedule could not be settled: %s", name, what)


class Marks(MutableMapping[str, Mark]):
    """The marks in a file of ours: they outlive Prefect's database."""

    def __init__(self) -> None:
        self._file = settings().run_path / "schedule.json"
        self._marks = _read(self._file)

    def __getitem__(self, name: str) -> Mark:
        return self._marks[name]

    def __setitem__(self, name: str, mark: Mark) -> None:
        self._write(self._marks | {name: mark})

    def __delitem__(self, name: str) -> None:
        self._write({other: mark for other, mark in self._marks.items() if other != name})

    def __iter__(self) -> Iterator[str]:
        return iter(self._marks)

    def __len__(self) -> int:
        return len(self._marks)

    def _write(self, marks: dict[str, Mark]) -> None:
        rows = {name: mark.model_dump(mode="json") for name, mark in marks.items()}
        write_whole(self._file, json.dumps(rows), durable=True)
        self._marks = marks


def _read(file: Path) -> dict[str, Mark]:
    try:
        rows = json.loads(file.read_text())
        return {name: Mark.model_validate(row) for name, row in rows.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, ValidationError) as error:
        log.warning("%s cannot be read (%r): what was missed before now stays so.", file, error)
        return {}


def _due(run: "FlowRun") -> datetime:
    moment = run.expected_start_time or run.next_scheduled_start_time
    return datetime.fromtimestamp(moment.timestamp(), UTC) if moment else datetime.now(UTC)
