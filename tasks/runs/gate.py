"""The gate: what must hold before a run may start, and, sensor by sensor, whether it does.

Deciding is pure: senses, a moment and a zone in, a decision out. `tasks.runs.admission` brings it
to a run, `thirdshift gate` explains it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from tasks.runs import hours as clock
from thirdshift.records import Record, Sensed

Level = Literal["nominal", "fair", "serious", "critical"]
LEVELS = ("nominal", "fair", "serious", "critical")


class Gate(Record):
    """What must hold before a run may start; deployments.yaml explains the keys."""

    min_idle_minutes: float = Field(0, ge=0)
    ac_only: bool = False
    battery_floor: float = Field(0, ge=0, le=100)
    thermal_ceiling: Level | None = None
    load_ceiling: float | None = Field(None, gt=0)
    memory_floor: float = Field(0, ge=0, le=100)
    energy: bool = False
    hours: str = ""
    unavailable: Literal["open", "closed"] = "open"
    retry_minutes: float = Field(15, gt=0)

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, value: str) -> str:
        if value:
            clock.parse(value)
        return value


class Condition(Record):
    """One thing a gate wants, what the sensor said, and whether it held."""

    sensor: str
    wanted: str
    sensed: str
    held: bool
    why: str = ""  # the reason where the sensor said nothing


class Decision(Record):
    """Whether a gate is open, condition by condition; where it is not, when to ask again."""

    open: bool
    conditions: list[Condition]
    next_try: datetime | None = None

    @property
    def reason(self) -> str:
        """What did not hold: sensor, value, what was wanted."""
        broken = [condition for condition in self.conditions if not condition.held]
        return "; ".join(
            f"{condition.sensor}: {condition.sensed}, wanted {condition.wanted}"
            + (f" ({condition.why})" if condition.why else "")
            for condition in broken
        )


def wanted(gate: Gate) -> list[str]:
    """Return the names of the sensors a gate asks."""
    asked = {
        "idle": gate.min_idle_minutes > 0,
        "power": gate.ac_only or gate.battery_floor > 0,
        "battery": gate.battery_floor > 0,
        "thermal": gate.thermal_ceiling is not None,
        "load": gate.load_ceiling is not None,
        "memory": gate.memory_floor > 0,
    }
    return [name for name, is_asked in asked.items() if is_asked]


def by_hand(gate: Gate) -> Gate:
    """Return the gate for a run the owner started: not idle, any hour, any load will do."""
    return gate.model_copy(update={"min_idle_minutes": 0, "hours": "", "load_ceiling": None})


def lasting(gate: Gate) -> Gate:
    """Return what must go on holding while a run is under way: its own load is no reason."""
    return gate.model_copy(update={"load_ceiling": None, "memory_floor": 0})


def decide(
    gate: Gate,
    senses: Mapping[str, Sensed],
    moment: datetime,
    zone: ZoneInfo,
    spent: Sensed | None = None,
    budget_kj: float = 0,
) -> Decision:
    """Decide whether a run may start at that moment.

    `spent` is the energy of this night in kJ; it only matters to a gate with `energy` and
    where there is a budget.
    """
    conditions = [*_sensed(gate, senses), *_hours(gate, moment, zone)]
    budget = _budget(gate, spent, budget_kj)
    conditions += budget
    if all(condition.held for condition in conditions):
        return Decision(open=True, conditions=conditions)
    broke = any(not condition.held for condition in budget)
    return Decision(
        open=False, conditions=conditions, next_try=_next_try(gate, moment, zone, broke)
    )


def _next_try(gate: Gate, moment: datetime, zone: ZoneInfo, broke: bool) -> datetime:
    """Return when it is worth asking again: never outside the hours, nor in a spent night."""
    if broke:
        return clock.opening(gate.hours, clock.night(moment, zone)[1], zone)
    if not clock.within(gate.hours, moment, zone):
        return clock.opening(gate.hours, moment, zone)
    return clock.opening(gate.hours, moment + timedelta(minutes=gate.retry_minutes), zone)


def _sensed(gate: Gate, senses: Mapping[str, Sensed]) -> Iterator[Condition]:
    def condition(name: str, wish: str, held: bool | None) -> Condition:
        return _condition(senses[name], wish, gate.unavailable == "open" if held is None else held)

    if gate.min_idle_minutes:
        seconds = 60 * gate.min_idle_minutes
        yield condition("idle", f"at least {seconds:g} s", _at_least(senses["idle"], seconds))
    if gate.ac_only:
        on_ac = None if senses["power"].value is None else _on_ac(senses)
        yield condition("power", "ac", on_ac)
    if gate.battery_floor:
        full = True if _on_ac(senses) else _at_least(senses["battery"], gate.battery_floor)
        yield condition("battery", f"at least {gate.battery_floor:g} %, or ac", full)
    if gate.thermal_ceiling:
        cool = _at_most(gate.thermal_ceiling, senses["thermal"])
        yield condition("thermal", f"at most {gate.thermal_ceiling}", cool)
    if gate.load_ceiling:
        load = _number(senses["load"])
        held = None if load is None else load <= gate.load_ceiling
        yield condition("load", f"at most {gate.load_ceiling:g} per core", held)
    if gate.memory_floor:
        free = _at_least(senses["memory"], gate.memory_floor)
        yield condition("memory", f"at least {gate.memory_floor:g} % available", free)


def _hours(gate: Gate, moment: datetime, zone: ZoneInfo) -> Iterator[Condition]:
    if gate.hours:
        local = moment.astimezone(zone).strftime("%H:%M")
        held = clock.within(gate.hours, moment, zone)
        yield Condition(sensor="hours", wanted=gate.hours, sensed=local, held=held)


def _budget(gate: Gate, spent: Sensed | None, budget_kj: float) -> list[Condition]:
    if not gate.energy or not budget_kj or spent is None:
        return []
    used = _number(spent)
    held = gate.unavailable == "open" if used is None else used < budget_kj
    return [_condition(spent, f"less than {budget_kj:g} kJ a night", held)]


def _condition(sensed: Sensed, wish: str, held: bool) -> Condition:
    value = "unavailable" if sensed.value is None else f"{_shown(sensed.value)} {sensed.unit}"
    return Condition(
        sensor=sensed.sensor, wanted=wish, sensed=value.strip(), held=held, why=sensed.why
    )


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}" if value < 1e4 else f"{value:.0f}"


def _at_least(sensed: Sensed, floor: float) -> bool | None:
    value = _number(sensed)
    return None if value is None else value >= floor


def _at_most(ceiling: Level, sensed: Sensed) -> bool | None:
    if sensed.value is None:
        return None
    return LEVELS.index(str(sensed.value)) <= LEVELS.index(ceiling)


def _on_ac(senses: Mapping[str, Sensed]) -> bool:
    return senses["power"].value == "ac"


def _number(sensed: Sensed) -> float | None:
    return None if sensed.value is None else float(sensed.value)
