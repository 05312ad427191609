"""Catch-up policy: which scheduled runs start, which are dropped and why; the clock is given.

An *occurrence* is a moment the cron expression names in the owner's zone, see
`tasks.runs.occurrences`.

Sleep, a reboot, a server that was down, a clock set forward and a flight to the east all look
alike: occurrences lie behind us of which nothing is known. `judge` starts the newest of them or
none. What was decided is in a `Mark`, which its caller keeps.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from tasks.runs.occurrences import (
    between,
    fixed,
    meant,
    wall,
)
from tasks.text.figures import duration
from thirdshift.records import Record

TOLERANCE = timedelta(minutes=2)  # still on time: a poll, or a restart of server and runner
PATIENCE = timedelta(seconds=30)  # what Prefect gets to make its own run of an occurrence
REMEMBERED = timedelta(days=2)  # how far a clock may go back without a run starting again
LEAST = 32  # so many of the last starts are remembered however old


class Policy(Record):
    """What the catalogue says of one scheduled deployment."""

    name: str
    cron: str
    catch_up: Literal["once", "skip"]
    max_lateness: timedelta | None = None


class Due(Record):
    """A run that Prefect made from the schedule and whose time has come."""

    id: str
    at: datetime


class Started(Record):
    """An occurrence that was started: when it was due, and as what run of Prefect."""

    at: datetime
    wall: str  # its time on the wall, e.g. "2026-03-29 02:30"
    zone: str
    run: str = ""  # empty where we made the run


class Intent(Record):
    """An occurrence that is to start, noted before the run is made: a fault may come between."""

    at: datetime
    decided: datetime


class Mark(Record):
    """What is decided: everything up to `until`, and what was started."""

    cron: str
    until: datetime
    started: tuple[Started, ...] = ()
    zone: str = ""  # by whose clock it was decided
    intent: Intent | None = None


class Skip(Record):
    """Occurrences that were dropped together, and why. Times are UTC."""

    first: datetime
    last: datetime
    count: int
    reason: str


class ScheduleDecision(Record):
    """What to do now: runs to start, runs to cancel with the reason, a run to create."""

    mark: Mark
    start: tuple[str, ...] = ()
    cancel: dict[str, str] = Field(default_factory=dict)
    create: datetime | None = None  # the occurrence it stands for
    skips: tuple[Skip, ...] = ()


def judge(
    policy: Policy, mark: Mark | None, due: Sequence[Due], now: datetime, zone: ZoneInfo
) -> ScheduleDecision:
    """Decide on all that is due of one deployment; at most one occurrence is started.

    `due` are Prefect's own runs of the schedule; runs of other origin never come here. Of a
    machine that slept through two nights, with `0 2 * * *` and `once` within 20 hours:

        due        Monday 02:00 (run a), Tuesday 02:00 (run b); it is Tuesday 08:00
        decision   start b; cancel a as its late duplicate; everything up to Tuesday is decided
    """
    standing = _in_force(policy, mark, now)
    mark = standing.model_copy(update={"zone": zone.key})
    taken = {start.run for start in mark.started}
    begun = tuple(run.id for run in due if run.id in taken)  # the runner had no room for it yet
    others = [run for run in due if run.id not in taken]
    foreign = _foreign(policy.cron, standing.zone, others, zone)
    fresh = _by_occurrence(policy, (run for run in others if run.id not in foreign), zone)
    passed = set(between(policy.cron, mark.until, now, zone))
    behind = {moment for moment in fresh if moment <= now} | passed
    newest = max(behind, default=now)
    if not behind or (newest not in fresh and now - newest < PATIENCE):
        return ScheduleDecision(mark=mark, start=begun, cancel=foreign)
    decision = _decide(policy, mark, begun, fresh, sorted(behind), now, zone)
    return decision.model_copy(update={"cancel": foreign | decision.cancel})


def passed_over(mark: Mark, now: datetime) -> Mark:
    """Return the mark of a deployment whose owner paused it: what came meanwhile is not missed."""
    return mark.model_copy(update={"until": now})


def intending(mark: Mark | None, decision: ScheduleDecision, now: datetime) -> Mark:
    """Return the mark to keep before a decision is carried out; its run is only meant as yet."""
    base = mark or Mark(cron=decision.mark.cron, until=now)
    if decision.create is None or (base.intent and base.intent.at == decision.create):
        return base
    return base.model_copy(update={"intent": Intent(at=decision.create, decided=now)})


def _in_force(policy: Policy, mark: Mark | None, now: datetime) -> Mark:
    """Return the mark to go by: a new schedule has missed nothing; a clock may have gone back."""
    if mark is None:
        return Mark(cron=policy.cron, until=now)
    if mark.cron != policy.cron or mark.until > now:
        return mark.model_copy(update={"cron": policy.cron, "until": now})
    return mark


def _decide(
    policy: Policy,
    mark: Mark,
    begun: tuple[str, ...],
    fresh: dict[datetime, list[str]],
    behind: list[datetime],
    now: datetime,
    zone: ZoneInfo,
) -> ScheduleDecision:
    ran = _ran_already(policy.cron, behind, mark, now, zone)
    missed = [moment for moment in behind if moment not in ran]
    chosen = missed[-1] if missed and _may_start(policy, mark, missed[-1], now) else None
    left = [moment for moment in missed if moment != chosen]
    why = ran | {moment: _reason(policy, moment, chosen, now, zone) for moment in left}
    run, *twins = (fresh.get(chosen) if chosen else None) or [""]
    cancel = {run: why[moment] for moment in why for run in fresh.get(moment, [])}
    return ScheduleDecision(
        mark=_marked(mark, chosen, run, behind[-1], zone),
        start=(*begun, run) if run else begun,
        cancel=cancel | dict.fromkeys(twins, f"Late duplicate of run {run}."),
        create=None if run else chosen,
        skips=_skips(why, {start.at for start in mark.started}),
    )


def _ran_already(
    cron: str, behind: Sequence[datetime], mark: Mark, now: datetime, zone: ZoneInfo
) -> dict[datetime, str]:
    """Return what counts as run, and why: itself, by its time on the wall, or a later one."""
    by_moment = {start.at: start for start in mark.started}
    elsewhere = {start.wall: start for start in mark.started if start.zone != zone.key}
    last = max((start.at for start in mark.started if start.at <= now), default=None)
    reasons = {}
    for moment in behind:
        same = elsewhere.get(wall(moment, zone)) if fixed(cron) else None
        if moment in by_moment or (last and moment < last):
            start = by_moment.get(moment) or by_moment[last or moment]
            reasons[moment] = f"Late duplicate of the run due {start.wall}, {start.zone}."
        elif same:
            reasons[moment] = f"The run of {same.wall} has been, by the clock of {same.zone}."
    return reasons


def _may_start(policy: Policy, mark: Mark, moment: datetime, now: datetime) -> bool:
    """Tell whether an occurrence is in time, or was when a fault broke off its start just now."""
    intent = mark.intent
    if intent and intent.at == moment and timedelta(0) <= now - intent.decided <= TOLERANCE:
        return True
    return _in_time(policy, now - moment)


def _in_time(policy: Policy, lateness: timedelta) -> bool:
    if policy.catch_up == "once" and policy.max_lateness:
        return lateness <= max(policy.max_lateness, TOLERANCE)
    return lateness <= TOLERANCE


def _reason(
    policy: Policy, moment: datetime, chosen: datetime | None, now: datetime, zone: ZoneInfo
) -> str:
    late = duration((now - moment).total_seconds())
    if policy.catch_up == "skip":
        return f"Missed: {late} late, and {policy.name} skips what it missed."
    if chosen:
        return f"Late duplicate of the run due {wall(chosen, zone)}."
    allowed = duration((policy.max_lateness or TOLERANCE).total_seconds())
    return f"Missed: {late} late; {policy.name} allows {allowed}."


def _marked(mark: Mark, chosen: datetime | None, run: str, until: datetime, zone: ZoneInfo) -> Mark:
    started = list(mark.started)
    if chosen:
        started.append(Started(at=chosen, wall=wall(chosen, zone), zone=zone.key, run=run))
        started.sort(key=lambda start: start.at)
    old = [start for start in started[:-LEAST] if started[-1].at - start.at > REMEMBERED]
    remembered = tuple(started[len(old) :])
    return Mark(cron=mark.cron, until=max(mark.until, until), started=remembered, zone=zone.key)


def _skips(why: dict[datetime, str], ran: set[datetime]) -> tuple[Skip, ...]:
    """Tell what was dropped, once per reason; an occurrence that ran itself was not dropped."""
    dropped = sorted(set(why) - ran)
    by_kind: dict[str, list[datetime]] = {}
    for moment in dropped:
        by_kind.setdefault(why[moment].partition(":")[0], []).append(moment)
    return tuple(
        Skip(first=times[0], last=times[-1], count=len(times), reason=why[times[-1]])
        for times in by_kind.values()
    )


def _foreign(cron: str, before: str, runs: Iterable[Due], zone: ZoneInfo) -> dict[str, str]:
    """Return runs made by the clock of the zone we came from, which name no time of this one."""
    if before in ("", zone.key):
        return {}
    reason = f"Made by the clock of {before}; the schedule now goes by that of {zone.key}."
    second = timedelta(seconds=1)
    return {
        run.id: reason
        for run in runs
        if between(cron, run.at - second, run.at, ZoneInfo(before))
        and not between(cron, run.at - second, run.at, zone)
    }


def _by_occurrence(
    policy: Policy, runs: Iterable[Due], zone: ZoneInfo
) -> dict[datetime, list[str]]:
    runs_of: dict[datetime, list[str]] = {}
    for run in sorted(runs, key=lambda run: (run.at, run.id)):
        runs_of.setdefault(meant(policy.cron, run.at, zone), []).append(run.id)
    return runs_of
