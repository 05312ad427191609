"""Which scheduled runs start, and which are dropped and why: decisions alone, the clock is given.

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


class Verdict(Record):
    """What to do now: runs to start, runs to cancel with the reason, a run to create."""

    mark: Mark
    start: tuple[str, ...] = ()
    cancel: dict[str, str] = Field(default_factory=dict)
    create: datetime | None = None  # the occurrence it stands for
    skips: tuple[Skip, ...] = ()


def judge(
    policy: Policy, mark: Mark | None, due: Sequence[Due], now: datetime, zone: ZoneInfo
) -> Verdict:
    """Decide on all that is due of one deployment; at most one occurrence is started.

    `due` are Prefect's own runs of the schedule; runs of other origin never come here.
    """
    given = _in_force(policy, mark, now)
    mark = given.model_copy(update={"zone": zone.key})
    taken = {one.run for one in mark.started}
    begun = tuple(run.id for run in due if run.id in taken)  # the runner had no room for it yet
    foreign = _foreign(policy.cron, given.zone, [run for run in due if run.id not in taken], zone)
    fresh = _by_occurrence(
        policy, (run for run in due if run.id not in taken and run.id not in foreign), zone
    )
    behind = {at for at in fresh if at <= now} | set(between(policy.cron, mark.until, now, zone))
    newest = max(behind, default=now)
    if not behind or (newest not in fresh and now - newest < PATIENCE):
        return Verdict(mark=mark, start=begun, cancel=foreign)
    verdict = _decide(policy, mark, begun, fresh, sorted(behind), now, zone)
    return verdict.model_copy(update={"cancel": foreign | verdict.cancel})


def passed_over(mark: Mark, now: datetime) -> Mark:
    """Return the mark of a deployment whose owner paused it: what came meanwhile is not missed."""
    return mark.model_copy(update={"until": now})


def intending(mark: Mark | None, verdict: Verdict, now: datetime) -> Mark:
    """Return the mark to keep before a verdict is carried out; its run is only meant as yet."""
    base = mark or Mark(cron=verdict.mark.cron, until=now)
    if verdict.create is None or (base.intent and base.intent.at == verdict.create):
        return base
    return base.model_copy(update={"intent": Intent(at=verdict.create, decided=now)})


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
) -> Verdict:
    ran = _ran_already(policy.cron, behind, mark, now, zone)
    missed = [at for at in behind if at not in ran]
    chosen = missed[-1] if missed and _may_start(policy, mark, missed[-1], now) else None
    why = ran | {at: _reason(policy, at, chosen, now, zone) for at in missed if at != chosen}
    run, *twins = (fresh.get(chosen) if chosen else None) or [""]
    cancel = {run: why[at] for at in why for run in fresh.get(at, [])}
    return Verdict(
        mark=_marked(mark, chosen, run, behind[-1], zone),
        start=(*begun, run) if run else begun,
        cancel=cancel | dict.fromkeys(twins, f"Late duplicate of run {run}."),
        create=None if run else chosen,
        skips=_skips(why, {one.at for one in mark.started}),
    )


def _ran_already(
    cron: str, behind: Sequence[datetime], mark: Mark, now: datetime, zone: ZoneInfo
) -> dict[datetime, str]:
    """Return what counts as run, and why: itself, by its time on the wall, or a later one."""
    by_moment = {one.at: one for one in mark.started}
    elsewhere = {one.wall: one for one in mark.started if one.zone != zone.key}
    last = max((one.at for one in mark.started if one.at <= now), default=None)
    told = {}
    for at in behind:
        same = elsewhere.get(wall(at, zone)) if fixed(cron) else None
        if at in by_moment or (last and at < last):
            one = by_moment.get(at) or by_moment[last or at]
            told[at] = f"Late duplicate of the run due {one.wall}, {one.zone}."
        elif same:
            told[at] = f"The run of {same.wall} has been, by the clock of {same.zone}."
    return told


def _may_start(policy: Policy, mark: Mark, at: datetime, now: datetime) -> bool:
    """Tell whether an occurrence is in time, or was when a fault broke off its start just now."""
    intent = mark.intent
    if intent and intent.at == at and timedelta(0) <= now - intent.decided <= TOLERANCE:
        return True
    return _in_time(policy, now - at)


def _in_time(policy: Policy, lateness: timedelta) -> bool:
    if policy.catch_up == "once" and policy.max_lateness:
        return lateness <= max(policy.max_lateness, TOLERANCE)
    return lateness <= TOLERANCE


def _reason(
    policy: Policy, at: datetime, chosen: datetime | None, now: datetime, zone: ZoneInfo
) -> str:
    if policy.catch_up == "skip":
        return f"Missed: {_long(now - at)} late, and {policy.name} skips what it missed."
    if chosen:
        return f"Late duplicate of the run due {wall(chosen, zone)}."
    allowed = policy.max_lateness or TOLERANCE
    return f"Missed: {_long(now - at)} late; {policy.name} allows {_long(allowed)}."


def _marked(mark: Mark, chosen: datetime | None, run: str, until: datetime, zone: ZoneInfo) -> Mark:
    started = list(mark.started)
    if chosen:
        started.append(Started(at=chosen, wall=wall(chosen, zone), zone=zone.key, run=run))
        started.sort(key=lambda one: one.at)
    old = [one for one in started[:-LEAST] if started[-1].at - one.at > REMEMBERED]
    kept = tuple(started[len(old) :])
    return Mark(cron=mark.cron, until=max(mark.until, until), started=kept, zone=zone.key)


def _skips(why: dict[datetime, str], ran: set[datetime]) -> tuple[Skip, ...]:
    """Tell what was dropped, once per reason; an occurrence that ran itself was not dropped."""
    dropped = sorted(set(why) - ran)
    by_kind: dict[str, list[datetime]] = {}
    for at in dropped:
        by_kind.setdefault(why[at].partition(":")[0], []).append(at)
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
    found: dict[datetime, list[str]] = {}
    for run in sorted(runs, key=lambda run: (run.at, run.id)):
        found.setdefault(meant(policy.cron, run.at, zone), []).append(run.id)
    return found


def _long(time: timedelta) -> str:
    hours, minutes = divmod(round(time.total_seconds() / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
