"""Overhead: what every run pays for being gated and metered, in milliseconds."""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from tasks.machine.sensors import SENSORS, sense
from tasks.runs.admission import Terms, admitted, survey
from tasks.runs.energy import metering
from tasks.runs.gate import Gate
from tasks.runs.ledger import history
from thirdshift.records import now

# It asks every sensor there is, and is open whatever they say.
EVERY_SENSOR = Gate(
    min_idle_minutes=1e-9,
    battery_floor=1e-9,
    thermal_ceiling="critical",
    load_ceiling=1e9,
    memory_floor=1e-9,
    energy=True,
)


def measure_gate(rounds: int) -> list[dict[str, Any]]:
    """Return median and longest time of the whole, then of its parts."""
    parts: dict[str, Callable[[], object]] = {
        "gate, heavy slot and meter": _whole,
        "decision": partial(survey, EVERY_SENSOR, None),
        "what the night took": partial(history, now()),
    }
    parts |= {f"sensor {name}": partial(sense, [name]) for name in SENSORS}
    return [{"what": name} | _timed(part, rounds) for name, part in parts.items()]


def _whole() -> None:
    terms = Terms(name="bench", gate=EVERY_SENSOR, heavy=True)
    with metering() as meter:
        with admitted(terms, "bench", meter):
            pass
        meter.joules()


def _timed(part: Callable[[], object], rounds: int) -> dict[str, Any]:
    part()
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        part()
        took.append(1e3 * (time.perf_counter() - began))
    return {"median ms": round(median(took), 2), "max ms": round(max(took), 2)}
