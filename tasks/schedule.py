"""Which scheduled runs start, and which are dropped and why: decisions alone, the clock is given.

An *occurrence* is a moment the cron expression names in the owner's zone, told by cronsim as
Debian's cron does: what falls into the hour that daylight saving skips comes once, right after
it; what names a time of the hour that is repeated comes once, the first time. Prefect counts
otherwise there, so each of its runs is laid to the occurrence it was meant for.

Sleep, a reboot, a server that was down, a clock set forward and a flight to the east all look
alike: occurrences lie behind us of which nothing is known. `judge` starts the newest of them or
none. What was decided is in a `Mark`, which its caller keeps.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from thirdshift.records import Record

TOLERANCE = timedelta(minutes=2)  # still on time: a poll, or a restart of server and runner
PATIENCE = timedelta(seconds=30)  # what Prefect gets to make its own run of an occurrence
REMEMBERED = timedelta(days=2)  # how far a clock may go back without a run starting again
LEAST = 32  # so many of the last starts are remembered however old
MANY = 3000  # occurrences; of more, only those of the last WINDOW are told
WINDOW = timedelta(days=35)
SHIFT = timedelta(minutes=90)  # daylight saving moves no clock further

Minute = "%Y-%m-%d %H:%M"


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


class Mark(Record):
    """What is decided: everything up to `until`, and what was started."""

    cron: str
    until: datetime
    started: tuple[Started, ...] = ()


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
    mark = _in_force(policy, mark, now)
    taken = {one.run for one in mark.started}
    begun = tuple(run.id for run in due if run.id in taken)  # the runner had no room for it yet
    fresh = _by_occurrence(policy, (run for run in due if run.id not in taken), zone)
    behind = {at for at in fresh if at <= now} | set(_between(policy.cron, mark.until, now, zone))
    if not behind:
        return Verdict(mark=mark, start=begun)
    newest = max(behind)
    if newest not in fresh and now - newest < PATIENCE:
        return Verdict(mark=mark, start=begun)
    return _decide(policy, mark, begun, fresh, sorted(behind), now, zone)


def passed_over(mark: Mark, now: datetime) -> Mark:
    """Return the mark of a deployment whose owner paused it: what came meanwhile is not missed."""
    return mark.model_copy(update={"until": now})


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
    chosen = missed[-1] if missed and _in_time(policy, now - missed[-1]) else None
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
        same = elsewhere.get(_wall(at, zone)) if _fixed(cron) else None
        if at in by_moment or (last and at < last):
            one = by_moment.get(at) or by_moment[last or at]
            told[at] = f"Late duplicate of the run due {one.wall}, {one.zone}."
        elif same:
            told[at] = f"The run of {same.wall} has been, by the clock of {same.zone}."
    return told


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
        return f"Late duplicate of the run due {_wall(chosen, zone)}."
    allowed = policy.max_lateness or TOLERANCE
    return f"Missed: {_long(now - at)} late; {policy.name} allows {_long(allowed)}."


def _marked(mark: Mark, chosen: datetime | None, run: str, until: datetime, zone: ZoneInfo) -> Mark:
    started = list(mark.started)
    if chosen:
        started.append(Started(at=chosen, wall=_wall(chosen, zone), zone=zone.key, run=run))
        started.sort(key=lambda one: one.at)
    old = [one for one in started[:-LEAST] if started[-1].at - one.at > REMEMBERED]
    kept = tuple(started[len(old) :])
    return Mark(cron=mark.cron, until=max(mark.until, until), started=kept)


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


def _by_occurrence(
    policy: Policy, runs: Iterable[Due], zone: ZoneInfo
) -> dict[datetime, list[str]]:
    found: dict[datetime, list[str]] = {}
    for run in sorted(runs, key=lambda run: (run.at, run.id)):
        found.setdefault(_meant(policy.cron, run.at, zone), []).append(run.id)
    return found


def _meant(cron: str, at: datetime, zone: ZoneInfo) -> datetime:
    """Return the occurrence a run of Prefect's is for: near a change of the clock, the nearest.

    Prefect starts an hour early what daylight saving would skip. Elsewhere a time that is none
    of ours is one the owner gave in Prefect's pages, and stands for itself.
    """
    near = _between(cron, at - SHIFT, at + SHIFT, zone)
    if at in near or not near or not _clock_changes(at, zone):
        return at
    return min(near, key=lambda one: abs(one - at))


def _clock_changes(at: datetime, zone: ZoneInfo) -> bool:
    before, after = (at + hours * timedelta(hours=1) for hours in (-3, 3))
    return before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()


def _between(cron: str, after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the occurrences in (after, until], in UTC; of very many those of the last weeks."""
    from cronsim import CronSim

    found: list[datetime] = []
    # From an hour before: cronsim goes by the wall, and its hour may come twice.
    for moment in CronSim(cron, (after - timedelta(hours=3)).astimezone(zone)):
        at = moment.astimezone(UTC)
        if at > until:
            break
        if at > after and at not in found[-1:]:
            found.append(at)
        if len(found) > MANY and after < until - WINDOW:
            return _between(cron, until - WINDOW, until, zone)
    return found


def _fixed(cron: str) -> bool:
    """Tell whether the expression names times of the day rather than an interval."""
    minute, hour = cron.split()[:2]
    return not minute.startswith("*") and not hour.startswith("*")


def _wall(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime(Minute)


def _long(time: timedelta) -> str:
    hours, minutes = divmod(round(time.total_seconds() / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
