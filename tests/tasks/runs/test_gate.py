"""The gate: pure decisions, condition by condition, at any hour of any night."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.runs import hours
from tasks.runs.gate import (
    Decision,
    Gate,
    by_hand,
    decide,
    lasting,
    wanted,
)
from thirdshift.records import Sensed

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NIGHT = "22:00-07:00"
QUIET: dict[str, float | str] = {
    "idle": 3600.0,
    "power": "ac",
    "battery": 80.0,
    "thermal": "nominal",
    "load": 0.1,
    "memory": 60.0,
}
STRICT = Gate(
    min_idle_minutes=10,
    ac_only=True,
    battery_floor=50,
    thermal_ceiling="fair",
    load_ceiling=0.5,
    memory_floor=20,
)


def senses(**values: float | str | None) -> dict[str, Sensed]:
    given = {**QUIET, **values}
    return {
        name: Sensed(sensor=name, value=value, why="" if value is not None else "no such sensor")
        for name, value in given.items()
    }


def asked(gate: Gate, at: datetime = NOON, **values: float | str | None) -> Decision:
    return decide(gate, senses(**values), at, BERLIN)


def at(local: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=zone)


def test_an_empty_gate_is_open_and_asks_no_sensor() -> None:
    assert wanted(Gate()) == []
    assert decide(Gate(), {}, NOON, BERLIN) == Decision(open=True, conditions=[])


def test_a_quiet_machine_opens_a_strict_gate() -> None:
    decision = asked(STRICT)

    assert decision.open
    assert {one.sensor for one in decision.conditions} == set(QUIET) == set(wanted(STRICT))


@pytest.mark.parametrize(
    ("sensor", "value", "said"),
    [
        ("idle", 599, "idle: 599, wanted at least 600 s"),
        ("power", "battery", "power: battery, wanted ac"),
        ("thermal", "serious", "thermal: serious, wanted at most fair"),
        ("load", 0.51, "load: 0.51, wanted at most 0.5 per core"),
        ("memory", 19, "memory: 19, wanted at least 20 % available"),
    ],
)
def test_a_condition_that_does_not_hold_is_named_with_its_value(
    sensor: str, value: float | str, said: str
) -> None:
    decision = decide(STRICT, senses(**{sensor: value}), NOON, BERLIN)

    assert not decision.open
    assert decision.reason == said
    assert decision.next_try == NOON + timedelta(minutes=15)


@pytest.mark.parametrize(
    ("power", "charge", "is_open"),
    [("ac", 10, True), ("battery", 60, True), ("battery", 40, False), ("ac", None, True)],
)
def test_the_battery_counts_only_when_it_is_drawn_from(
    power: str, charge: float | None, is_open: bool
) -> None:
    assert asked(Gate(battery_floor=50), power=power, battery=charge).open is is_open


def test_what_a_silent_sensor_means_is_the_gates_choice() -> None:
    opened = asked(STRICT, idle=None, thermal=None)
    closed = asked(STRICT.model_copy(update={"unavailable": "closed"}), idle=None)

    assert opened.open
    assert not closed.open
    assert closed.reason == "idle: unavailable, wanted at least 600 s (no such sensor)"


@pytest.mark.parametrize("used", [99.0, 100.0, None])
@pytest.mark.parametrize("policy", ["open", "closed"])
def test_a_spent_budget_closes_the_gate_till_the_next_night(
    used: float | None, policy: str
) -> None:
    gate = Gate.model_validate({"energy": True, "unavailable": policy, "hours": NIGHT})
    spent = Sensed(sensor="night", value=used, unit="kJ", why="" if used else "no meter")
    moment = at("2026-03-02T01:00")

    decision = decide(gate, {}, moment, BERLIN, spent, budget_kj=100)

    assert decision.open is (used == 99 if used else policy == "open")
    if not decision.open:
        assert decision.next_try == at("2026-03-02T22:00")


def test_without_a_budget_energy_closes_no_gate() -> None:
    spent = Sensed(sensor="night", value=1e9, unit="kJ")

    assert decide(Gate(energy=True), {}, NOON, BERLIN, spent, budget_kj=0).open


def test_outside_its_hours_a_gate_opens_when_they_begin() -> None:
    decision = asked(Gate(hours=NIGHT), at("2026-03-01T12:00"))

    assert decision.reason == "hours: 12:00, wanted 22:00-07:00"
    assert decision.next_try == at("2026-03-01T22:00")


def test_a_try_never_falls_outside_the_hours() -> None:
    decision = asked(Gate(hours=NIGHT, ac_only=True), at("2026-03-01T06:50"), power="battery")

    assert decision.next_try == at("2026-03-01T22:00")


@pytest.mark.parametrize(
    ("local", "held"),
    [("21:59", False), ("22:00", True), ("00:00", True), ("06:59", True), ("07:00", False)],
)
@pytest.mark.parametrize("zone", [BERLIN, TOKYO])
def test_hours_cross_midnight_in_the_owners_zone(local: str, held: bool, zone: ZoneInfo) -> None:
    assert hours.within(NIGHT, at(f"2026-03-01T{local}", zone), zone) is held


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-03-29T00:30:00+00:00", True),  # 01:30, before the gap
        ("2026-03-29T01:15:00+00:00", True),  # 03:15, after it: 02:15 by the old clock
        ("2026-03-29T01:31:00+00:00", False),
    ],
)
def test_an_end_that_spring_leaves_out_is_that_of_the_old_clock(moment: str, held: bool) -> None:
    assert hours.within("22:00-02:30", datetime.fromisoformat(moment), BERLIN) is held


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-10-25T00:10:00+00:00", True),  # 02:10 for the first time
        ("2026-10-25T01:10:00+00:00", True),  # 02:10 for the second
        ("2026-10-25T01:31:00+00:00", False),  # 02:31 for the second
    ],
)
def test_an_end_that_comes_twice_is_the_second(moment: str, held: bool) -> None:
    assert hours.within("22:00-02:30", datetime.fromisoformat(moment), BERLIN) is held


@pytest.mark.parametrize("text", ["22:00", "22:00-22:00", "25:00-07:00", "a-b"])
def test_what_are_not_hours_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="times of day"):
        Gate(hours=text)


def test_a_run_by_hand_need_not_wait_for_the_owner_to_leave() -> None:
    gate = by_hand(STRICT.model_copy(update={"hours": NIGHT}))

    assert asked(gate, idle=0, load=9).open
    assert not asked(gate, power="battery").open


def test_a_run_under_way_does_not_yield_to_its_own_load() -> None:
    assert asked(lasting(STRICT), load=9, memory=1).open
    assert not asked(lasting(STRICT), idle=1).open


@settings(deadline=None)
@given(
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    opens=st.times(),
    closes=st.times(),
)
def test_the_next_opening_is_the_first_moment_within_the_hours(
    moment: datetime, opens: object, closes: object
) -> None:
    text = f"{opens:%H:%M}-{closes:%H:%M}"
    if text[:5] == text[6:]:
        return

    start = hours.opening(text, moment, BERLIN)

    assert start >= moment
    assert hours.within(text, start, BERLIN)
    assert start - moment <= timedelta(hours=25)
    if start > moment:
        assert not hours.within(text, start - timedelta(microseconds=1), BERLIN)


@settings(deadline=None)
@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))
def test_a_night_goes_from_noon_to_noon(moment: datetime) -> None:
    start, end = hours.night(moment, BERLIN)

    assert start <= moment < end
    assert {edge.astimezone(BERLIN).hour for edge in (start, end)} == {12}
    assert timedelta(hours=23) <= end - start <= timedelta(hours=25)
