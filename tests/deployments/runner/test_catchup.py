"""A simulated year: the real policy and what carries it out, on a small Prefect with faults.

The clock on the wall is all the world has. It stands still for nothing: sleep, power cuts and
clocks set by hand are gaps and steps in it. What has to happen is told a second time, without
cronsim and without the code under test, by `expected`.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from prefect.client.orchestration import get_client

from deployments.catalogue import find, prefect_deployment
from deployments.runner.catchup import CatchUp, Marks, policy_of
from deployments.runner.effects import CAUGHT_UP
from deployments.runner.warm import WarmRunner
from tasks.runs.ledger import history
from tasks.runs.schedule import Mark, Policy, Skip
from tests.deployments.conftest import runner, said, until
from thirdshift import records
from thirdshift.settings import settings

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe")


@dataclass(frozen=True)
class Job:
    """A deployment, and its schedule in a form that needs no cron."""

    name: str
    cron: str
    minute: int
    hours: tuple[int, ...]  # empty: each third hour of the real time
    weekday: int | None = None
    lateness: float | None = None  # hours; None: what is missed is skipped

    @property
    def policy(self) -> Policy:
        late = timedelta(hours=self.lateness) if self.lateness else None
        catch_up = "once" if self.lateness else "skip"
        return Policy(name=self.name, cron=self.cron, catch_up=catch_up, max_lateness=late)


JOBS = (
    Job("ingest", "0 2 * * *", 0, (2,), lateness=20),
    Job("mend", "30 2 * * *", 30, (2,)),
    Job("report", "30 1 * * *", 30, (1,), lateness=3),
    Job("weekly", "15 3 * * 1", 15, (3,), weekday=0, lateness=48),
    Job("twice", "45 2,14 * * *", 45, (2, 14), lateness=6),
    Job("look", "5 */3 * * *", 5, ()),
)


class Killed(BaseException):
    """The runner was killed at this very point."""


@dataclass
class Run:
    deployment_id: UUID
    expected_start_time: datetime
    auto_scheduled: bool = True
    id: UUID = field(default_factory=uuid4)
    state: Any = field(default_factory=lambda: Named("Scheduled"))


@dataclass
class Named:
    name: str


@dataclass
class Start:
    job: Job
    at: datetime  # when it was due
    now: datetime
    zone: str  # by whose clock it was decided


class World:
    """A Prefect that makes runs ahead, a ledger, a clock, and a runner that may be killed."""

    def __init__(self, seed: int, zones: tuple[str, ...]) -> None:
        self.random = random.Random(seed)
        self.zones, self.zone = zones, ZoneInfo(zones[0])
        self.now, self.busy = BEGIN, False
        self.jobs = {uuid4(): job for job in JOBS}
        self.scheduled: dict[UUID, Run] = {}
        self.keys: set[object] = set()
        self.starts: list[Start] = []
        self.ran: set[UUID] = set()
        self.skips: dict[tuple[str, datetime, datetime], Skip] = {}
        self.marks: dict[str, Mark] = {}
        self.polls: list[tuple[datetime, ZoneInfo]] = []
        self.restart()

    def restart(self) -> None:
        """Start the runner: it registers its deployments, and Prefect makes its runs anew."""
        self.runner = CatchUp(self, self.marks)
        self.runner.policies = {identity: job.policy for identity, job in self.jobs.items()}
        for run in list(self.scheduled.values()):
            if run.auto_scheduled and run.expected_start_time > self.now:
                del self.scheduled[run.id]
                self.keys.discard((run.deployment_id, run.expected_start_time))

    def look_ahead(self) -> None:
        """Do what Prefect's scheduler does: make runs for the next times, none for past ones."""
        for identity, job in self.jobs.items():
            times = prefects_times(job, self.zone.key)
            first = bisect_right(times, self.now)
            for at in times[first : first + 3]:
                if (identity, at) not in self.keys:
                    self.keys.add((identity, at))
                    run = Run(identity, at)
                    self.scheduled[run.id] = run

    def poll(self) -> None:
        """Poll until all is settled; faults and kills cost a few seconds each."""
        self.polls.append((self.now, self.zone))
        self.look_ahead()
        for _ in count():
            try:
                due = [
                    run for run in self.scheduled.values() if run.expected_start_time <= self.now
                ]
                self.failed = False
                for run in asyncio_run(self.runner.sift(due, self.now, self.zone)):  # type: ignore[arg-type]
                    self.start(run)  # type: ignore[arg-type]
                if not self.failed:
                    return
            except Killed:
                self.restart()
                self.look_ahead()
            self.now += 2 * SECOND

    def start(self, run: Run) -> None:
        if self.random.random() < 0.02:
            raise Killed
        if self.random.random() < 0.05:
            return  # no room for it now
        assert run.id not in self.ran
        self.ran.add(run.id)
        del self.scheduled[run.id]
        job = self.jobs[run.deployment_id]
        self.starts.append(Start(job, run.expected_start_time, self.now, self.decided(run, job)))

    def decided(self, run: Run, job: Job) -> str:
        """Return the zone by whose clock a run was decided on; not noted yet: just now."""
        for one in self.marks[job.name].started if job.name in self.marks else ():
            if one.run == str(run.id) or one.at == run.expected_start_time:
                return one.zone
        return self.zone.key

    def strike(self, often: float = 0.02) -> None:
        """Kill the runner, or let a request fail, every now and then."""
        if self.random.random() < often:
            raise Killed
        if self.random.random() < often:
            self.failed = True
            raise OSError("no answer")

    async def active(self, deployment: UUID) -> bool:
        return True

    async def cancel(self, run: str, reason: str) -> None:
        self.strike()
        assert reason
        self.scheduled.pop(UUID(run), None)
        self.strike()

    async def create(self, deployment: UUID, occurrence: datetime) -> None:
        self.strike(0.2)
        if ("ours", deployment, occurrence) not in self.keys:
            self.keys.add(("ours", deployment, occurrence))
            run = Run(deployment, occurrence, auto_scheduled=False)
            self.scheduled[run.id] = run
        self.strike(0.2)

    async def tell(self, policy: Policy, skip: Skip) -> None:
        self.strike()
        self.skips[policy.name, skip.first, skip.last] = skip
        self.strike()

    def live_a_year(self) -> None:
        """Live through waking hours, and what comes between them, to the year's end."""
        while self.now < END:
            for moment in self.waking():
                self.now = max(self.now, moment)
                self.poll()
            self.interrupt()

    def waking(self) -> Iterator[datetime]:
        until = self.now + HOUR * self.random.expovariate(1 / 30)
        times = {at for job in JOBS for at in times_of(job, self.zone.key, self.now, until)}
        times |= {self.now, *(at - HOUR for at in times)}  # Prefect's are early in spring
        for at in sorted(times):
            yield from (at + SECOND, at + 35 * SECOND)

    def interrupt(self) -> None:
        kind = self.random.choice(
            ["sleep", "sleep", "long", "reboot", "ahead", "back", "trip", "flight"]
        )
        long = HOUR * self.random.expovariate(1 / 60)
        if kind in ("trip", "flight"):
            self.zone = ZoneInfo(self.random.choice(self.zones))
            self.restart()
        if kind == "trip":
            return
        if kind == "back":
            self.now -= HOUR * self.random.expovariate(1 / 4)
        else:
            self.now += long if kind == "long" else HOUR * self.random.expovariate(1 / 8)
        if kind == "reboot":
            self.restart()


def asyncio_run(step: Any) -> Any:
    """Run a coroutine that never waits; an event loop would cost more than the year."""
    try:
        step.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def expected(
    job: Job, polls: list[tuple[datetime, ZoneInfo]]
) -> tuple[set[datetime], set[datetime]]:
    """Return which occurrences had to start and which had to be dropped, from the polls alone."""
    started: dict[datetime, tuple[str, str]] = {}
    dropped: set[datetime] = set()
    frontier = polls[0][0]
    for now, zone in polls:
        frontier = min(frontier, now)
        passed = times_of(job, zone.key, frontier, now)
        frontier = max([frontier, *passed])
        new = []
        for at in passed:
            wall = f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
            flown = job.hours and any(
                wall == other and zone.key != where for other, where in started.values()
            )
            overtaken = any(at < one <= now for one in started)
            if at not in started:
                (dropped.add if flown or overtaken else new.append)(at)
        if new:
            late = now - new[-1]
            if late <= timedelta(hours=job.lateness or 0) or late <= timedelta(minutes=2):
                at = new.pop()
                started[at] = (f"{at.astimezone(zone):%Y-%m-%d %H:%M}", zone.key)
            dropped.update(new)
    return set(started), dropped


def times_of(job: Job, zone: str, after: datetime, until: datetime) -> list[datetime]:
    times = all_times(job, zone)
    return times[bisect_right(times, after) : bisect_right(times, until)]


@cache
def all_times(job: Job, zone: str) -> list[datetime]:
    if not job.hours:
        hours = (BEGIN - 48 * HOUR + n * HOUR / 2 for n in range(2 * 24 * 400))
        local = (at + timedelta(minutes=job.minute % 30) for at in hours)
        return [at for at in local if is_third(at.astimezone(ZoneInfo(zone)), job.minute)]
    days = (date(2025, 12, 30) + timedelta(days=n) for n in range(400))
    days = (day for day in days if job.weekday in (None, day.weekday()))
    return sorted(
        {on_the_wall(day, hour, job.minute, ZoneInfo(zone)) for day in days for hour in job.hours}
    )


def is_third(at: datetime, minute: int) -> bool:
    return at.hour % 3 == 0 and at.minute == minute


def on_the_wall(day: date, hour: int, minute: int, zone: ZoneInfo) -> datetime:
    """Return the first moment a clock on the wall shows the time, or the next it does show."""
    shown = datetime(day.year, day.month, day.day, hour, minute)
    while True:
        at = shown.replace(tzinfo=zone).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == shown:
            return at
        shown += timedelta(minutes=1)


@cache
def prefects_times(job: Job, zone: str) -> list[datetime]:
    from prefect.server.schemas.schedules import CronSchedule

    schedule, times = CronSchedule(cron=job.cron, timezone=zone), set()
    for days in range(-2, 380, 30):
        start = BEGIN + timedelta(days=days)
        found = schedule._get_dates_generator(start=start, end=start + timedelta(days=30))
        times |= {datetime.fromtimestamp(at.timestamp(), UTC) for at in found}
    return sorted(times)


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 3))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("zones", [ZONES[:1], ZONES[1:2], ZONES], ids=["berlin", "york", "trips"])
def test_every_job_of_a_year_ran_as_its_policy_says(seed: int, zones: tuple[str, ...]) -> None:
    world = World(seed, zones)

    world.live_a_year()

    for job in JOBS:
        ours = [start for start in world.starts if start.job == job]
        ran = [nearest(job, start) for start in ours]
        must, dropped = expected(job, world.polls)
        told = [skip for (name, *_), skip in world.skips.items() if name == job.name]
        silent = {at for at in dropped if not any(one.first <= at <= one.last for one in told)}
        assert len(ran) == len(set(ran)), "a duplicate"
        assert set(ran) == must, job
        assert not silent, job
    last = world.polls[-1][0]
    assert not [run for run in world.scheduled.values() if run.expected_start_time < last]


def nearest(job: Job, start: Start) -> datetime:
    times = times_of(job, start.zone, start.at - 1.5 * HOUR, start.at + 1.5 * HOUR)
    return start.at if start.at in times else min(times, key=lambda at: abs(at - start.at))


def test_the_catalogue_says_what_a_missed_time_means() -> None:
    entry = find("shift-report")

    policy = policy_of(entry)

    assert policy and (policy.catch_up, policy.max_lateness) == ("once", 12 * HOUR)
    assert policy_of(entry.model_copy(update={"schedule": None})) is None


@pytest.mark.long
def test_a_runner_that_starts_late_runs_the_last_time_once_and_tells_of_the_others(
    prefect: str,
    prefect_port: int,
    tmp_path: Path,
    override: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    to = tmp_path / "said"
    monkeypatch.setenv("SAMPLED_HOURLY", str(to))
    override(HOME=tmp_path / "home")
    Marks()["hourly"] = Mark(cron="0 * * * *", until=records.now() - 4.5 * HOUR)

    for _ in range(2):
        with runner(tmp_path, prefect_port, RUNNER__STANDBYS=1) as shift:
            until(lambda shift=shift: "hourly: " in shift.log.read_text())
            shift.ready()  # many polls later
            (line,) = said(to)

    assert line["tags"].count(CAUGHT_UP) == 1
    (dropped,) = history(records.now() - HOUR)
    assert dropped.outcome.status == "skipped"
    assert "Late duplicate" in dropped.outcome.reason


async def test_a_schedule_the_catalogue_drops_is_dropped_in_prefect(prefect: str) -> None:
    entry = find("maintain-store").model_copy(update={"name": "dropped"})
    idle = entry.model_copy(update={"schedule": None, "catch_up": "skip"})
    runner = WarmRunner("dropping", standbys=0, limit=1)
    async with get_client() as client:
        identity = await runner.register(prefect_deployment(entry), entry)
        assert len(await client.read_deployment_schedules(identity)) == 1

        await runner.register(prefect_deployment(idle), idle)

        assert await client.read_deployment_schedules(identity) == []


def test_marks_outlive_the_process_and_a_torn_file_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mark = Mark(cron="0 2 * * *", until=BEGIN)
    Marks()["ingest"] = mark

    assert Marks()["ingest"] == mark
    (settings().run_path / "schedule.json").write_text("{")
    assert not Marks()
    assert "cannot be read" in caplog.text
