from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.runs.schedule import (
    PATIENCE,
    TOLERANCE,
    Due,
    Mark,
    Policy,
    ScheduleDecision,
    intending,
    judge,
    passed_over,
)

BERLIN, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")
NEW_YORK = ZoneInfo("America/New_York")
ONCE = Policy(name="ingest", cron="0 2 * * *", catch_up="once", max_lateness=timedelta(hours=20))
SKIP = Policy(name="ingest", cron="0 2 * * *", catch_up="skip")
HOURLY = Policy(name="look", cron="0 * * * *", catch_up="skip")


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=zone).astimezone(UTC)


def since(text: str, policy: Policy = ONCE) -> Mark:
    return Mark(cron=policy.cron, until=at(text))


def settled(policy: Policy, mark: Mark, *moments: datetime, zone: ZoneInfo = BERLIN) -> list[str]:
    """Return when something starts, over several polls without runs of Prefect's."""
    started = []
    for now in moments:
        decision = judge(policy, mark, [], now, zone)
        mark = decision.mark
        if decision.create:
            started.append(f"{decision.create:%m-%dT%H:%M}")
    return started


def test_a_run_that_is_due_starts_on_time() -> None:
    due = [Due(id="a", at=at("03-10T02:00"))]

    decision = judge(SKIP, since("03-10T00:00"), due, at("03-10T02:00:01"), BERLIN)

    assert decision.start == ("a",)
    assert decision.cancel == {} and decision.create is None and decision.skips == ()


def test_a_run_the_runner_had_no_room_for_may_start_later() -> None:
    due = [Due(id="a", at=at("03-10T02:00"))]
    mark = judge(SKIP, since("03-10T00:00"), due, at("03-10T02:00:01"), BERLIN).mark

    assert judge(SKIP, mark, due, at("03-10T02:30"), BERLIN).start == ("a",)


def test_after_three_nights_asleep_the_newest_runs_once() -> None:
    due = [Due(id=name, at=at(f"03-{name}T02:00")) for name in ("10", "11", "12")]

    decision = judge(ONCE, since("03-09T12:00"), due, at("03-12T08:00"), BERLIN)

    assert decision.start == ("12",)
    assert decision.cancel == dict.fromkeys(
        ("10", "11"), "Late duplicate of the run due 2026-03-12 02:00."
    )
    assert [skip.count for skip in decision.skips] == [2]


def test_where_prefect_has_no_run_one_is_created() -> None:
    decision = judge(ONCE, since("03-09T12:00"), [], at("03-10T08:00"), BERLIN)

    assert decision.create == at("03-10T02:00")
    later = judge(ONCE, decision.mark, [], at("03-10T09:00"), BERLIN)
    assert later == ScheduleDecision(mark=decision.mark)


def test_prefects_run_that_comes_after_all_is_a_duplicate() -> None:
    mark = judge(ONCE, since("03-09T12:00"), [], at("03-10T02:01"), BERLIN).mark
    late = [Due(id="a", at=at("03-10T02:00"))]

    decision = judge(ONCE, mark, late, at("03-10T02:02"), BERLIN)

    assert "Late duplicate" in decision.cancel["a"]
    assert decision.start == () and decision.skips == ()


@pytest.mark.parametrize("policy", [SKIP, ONCE])
def test_what_is_too_late_is_dropped_with_the_reason(policy: Policy) -> None:
    due = [Due(id="a", at=at("03-10T02:00"))]

    decision = judge(policy, since("03-09T12:00"), due, at("03-10T23:00"), BERLIN)

    assert decision.start == () and decision.create is None
    assert "21 h 00 min late" in decision.cancel["a"]
    assert decision.skips[0].reason == decision.cancel["a"]


def test_a_new_schedule_has_missed_nothing() -> None:
    mark = since("03-09T12:00", HOURLY)

    assert judge(ONCE, mark, [], at("03-10T08:00"), BERLIN).create is None
    assert judge(ONCE, None, [], at("03-10T08:00"), BERLIN).create is None


def test_what_was_paused_is_not_missed() -> None:
    mark = passed_over(since("03-01T12:00"), at("03-10T08:00"))

    assert judge(ONCE, mark, [], at("03-10T08:01"), BERLIN).create is None


def test_a_clock_set_back_runs_nothing_again() -> None:
    clock = [at(f"03-10T{time}") for time in ("02:01", "01:30", "02:00:31", "02:01", "23:00")]

    assert settled(ONCE, since("03-10T00:00"), *clock) == ["03-10T01:00"]


def test_a_clock_that_was_wrong_for_a_year_stops_nothing() -> None:
    wrong, right = at("03-10T02:01").replace(year=2031), at("03-11T01:59")
    clock = [at("03-10T02:01"), wrong, right, right + timedelta(minutes=2)]

    assert len(settled(ONCE, since("03-10T00:00"), *clock)) == 3


def test_an_hour_that_is_skipped_runs_once() -> None:
    night = [at("03-29T00:00") + timedelta(minutes=minutes) for minutes in range(0, 300, 1)]
    half = ONCE.model_copy(update={"cron": "30 2 * * *"})

    assert settled(half, since("03-28T12:00", half), *night) == ["03-29T01:00"]


def test_prefects_early_run_waits_for_the_end_of_the_skipped_hour() -> None:
    early = [Due(id="a", at=datetime(2026, 3, 29, 0, 30, tzinfo=UTC))]
    half = SKIP.model_copy(update={"cron": "30 2 * * *"})

    before, after = (
        judge(half, since("03-28T12:00", half), early, at(f"03-29T{time}"), BERLIN)
        for time in ("01:31", "03:00:01")
    )

    assert before.start == () and before.cancel == {}
    assert after.start == ("a",)


def test_an_hour_that_is_repeated_runs_once() -> None:
    night = [at("10-25T00:00") + timedelta(minutes=minutes) for minutes in range(0, 360, 1)]
    half = ONCE.model_copy(update={"cron": "30 2 * * *"})

    assert settled(half, since("10-24T12:00", half), *night) == ["10-25T00:30"]


def test_an_hourly_job_runs_each_real_hour_of_a_repeated_one() -> None:
    night = [at("10-25T00:30") + timedelta(minutes=minutes) for minutes in range(0, 240, 1)]

    assert len(settled(HOURLY, since("10-25T00:30", HOURLY), *night)) == 4


def test_a_flight_west_does_not_repeat_the_day() -> None:
    mark = judge(ONCE, since("03-10T00:00"), [], at("03-10T02:01"), BERLIN).mark

    decision = judge(ONCE, mark, [], at("03-10T02:01", NEW_YORK), NEW_YORK)

    assert decision.create is None
    assert "by the clock of Europe/Berlin" in decision.skips[0].reason


def test_a_run_made_by_the_clock_we_left_does_not_start_by_the_one_we_came_to() -> None:
    due = [Due(id="berlin", at=at("03-10T02:00"))]
    mark = judge(ONCE, since("03-09T12:00"), [], at("03-09T22:00"), BERLIN).mark

    decision = judge(ONCE, mark, due, at("03-10T02:10"), NEW_YORK)

    assert decision.start == () and decision.create is None
    assert "the clock of Europe/Berlin" in decision.cancel["berlin"]


def test_a_start_that_a_fault_broke_off_is_not_called_late() -> None:
    mark, just = since("03-10T00:00", SKIP), at("03-10T02:00") + TOLERANCE
    meant = intending(mark, judge(SKIP, mark, [], just, BERLIN), just)

    again = judge(SKIP, meant, [], just + timedelta(seconds=30), BERLIN)
    much_later = judge(SKIP, meant, [], just + timedelta(hours=1), BERLIN)

    assert again.create == at("03-10T02:00") and again.skips == ()
    assert much_later.create is None and "Missed" in much_later.skips[0].reason


def test_a_flight_east_over_the_time_runs_it_once() -> None:
    noon = ONCE.model_copy(update={"cron": "0 15 * * *"})
    landed = at("03-10T12:00")

    clock = [landed, landed + timedelta(minutes=1), landed + timedelta(hours=6)]

    assert settled(noon, since("03-09T15:00", noon), *clock, zone=TOKYO) == ["03-10T06:00"]


moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
zones = st.sampled_from([BERLIN, TOKYO, NEW_YORK])
policies = st.builds(
    Policy,
    name=st.just("job"),
    cron=st.sampled_from(["0 2 * * *", "30 2 * * *", "0 * * * *", "5 1,2,3 * * 1-5"]),
    catch_up=st.sampled_from(["once", "skip"]),
    max_lateness=st.timedeltas(timedelta(minutes=5), timedelta(days=3)),
)


@given(policies, moments, st.timedeltas(timedelta(), timedelta(days=9)), zones, st.data())
def test_at_most_one_starts_and_nothing_is_lost(
    policy: Policy, until: datetime, gap: timedelta, zone: ZoneInfo, data: st.DataObject
) -> None:
    mark, now = Mark(cron=policy.cron, until=until), until + gap
    times = data.draw(st.lists(st.datetimes(until.replace(tzinfo=None), now.replace(tzinfo=None))))
    due = [Due(id=str(n), at=time.replace(tzinfo=UTC)) for n, time in enumerate(times)]

    decision = judge(policy, mark, due, now, zone)

    assert len(decision.start) + bool(decision.create) <= 1
    assert not set(decision.start) & set(decision.cancel)
    if decision.mark.until > until:
        assert {run.id for run in due if run.at <= now - TOLERANCE} <= {
            *decision.start,
            *decision.cancel,
        }
    again = judge(policy, decision.mark, [], now, zone)
    assert again.create is None and again.skips == ()


@given(policies, moments, st.lists(st.integers(-90_000, 90_000), max_size=30), zones)
def test_no_walk_of_the_clock_starts_an_occurrence_twice(
    policy: Policy, start: datetime, steps: list[int], zone: ZoneInfo
) -> None:
    mark, now, started = Mark(cron=policy.cron, until=start), start, []
    for step in steps:
        now += timedelta(seconds=step)
        for moment in (now, now + PATIENCE):
            decision = judge(policy, mark, [], moment, zone)
            mark = decision.mark
            started += [decision.create] if decision.create else []

    assert len(set(started)) == len(started)
