"""Admission control: where a run meets the terms of its deployment, the heavy slot, the watch.

The runner writes the terms of every deployment into a file when it registers them, so that
a run finds its own by the deployment's id. A run without deployment is let in as it is.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.machine import sensors
from tasks.machine.disk import write_whole
from tasks.runs import heavy_slot
from tasks.runs.energy import Meter, night_spent
from tasks.runs.gate import (
    Decision,
    Gate,
    by_hand,
    decide,
    lasting,
    wanted,
)
from tasks.runs.preemption import Deferred, watching
from thirdshift.records import Record, Sensed, now
from thirdshift.settings import settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun


class Terms(Record):
    """On what terms the runs of a deployment start."""

    name: str
    gate: Gate = Gate()
    heavy: bool = False


def publish(terms: Mapping[str, Terms]) -> None:
    """Write the terms of every deployment, by its id, for runs to find."""
    published = {identity: entry.model_dump() for identity, entry in terms.items()}
    write_whole(_file(), json.dumps(published))


def terms_of(deployment: str, by_owner: bool) -> Terms:
    """Return the terms of a deployment's run; none are published: nothing is asked of it."""
    try:
        published = json.loads(_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        published = {}
    terms = Terms.model_validate(published.get(deployment, {"name": deployment}))
    return terms.model_copy(update={"gate": by_hand(terms.gate)}) if by_owner else terms


def started_by_hand(run: "FlowRun") -> bool:
    """Tell whether a person started the run: no schedule, no event, no retry or catch-up.

    What a programme creates carries a key, lest it be created twice; what a person starts
    in the UI or with `thirdshift run` has none.
    """
    return not (run.auto_scheduled or run.created_by or run.idempotency_key)


@contextmanager
def admitted(terms: Terms, run: str, meter: Meter) -> Iterator[None]:
    """Let the run in where its gate is open, and watch the gate while a heavy one works.

    Raises Deferred where it is closed, or another heavy run is under way.
    """
    spent = night_spending(terms.gate)
    decision = survey(terms.gate, spent)
    if decision.next_try:
        raise Deferred(decision.reason, decision.next_try)
    if not terms.heavy:
        yield
        return
    try:
        with heavy_slot.hold(run), watching(lambda: _still_open(terms.gate, spent, meter)):
            yield
    except heavy_slot.SlotTaken as taken:
        again = now() + timedelta(minutes=terms.gate.retry_minutes)
        raise Deferred(f"heavy slot: held by {taken}, wanted free", again) from None


def survey(gate: Gate, spent: Sensed | None) -> Decision:
    """Read the sensors a gate asks for and decide, now."""
    senses = sensors.sense(wanted(gate))
    return decide(gate, senses, now(), settings().zone, spent, settings().energy.night_kj)


def night_spending(gate: Gate) -> Sensed | None:
    """Return what this night took so far, in kJ, where the gate asks and there is a budget."""
    return night_spent(now()) if gate.energy and settings().energy.night_kj else None


def _still_open(gate: Gate, spent: Sensed | None, meter: Meter) -> Decision:
    if spent and spent.value is not None:
        kilojoules = float(spent.value) + (meter.joules() or 0.0) / 1e3
        spent = spent.model_copy(update={"value": kilojoules})
    return survey(lasting(gate), spent)


def _file() -> Path:
    return settings().run_path / "gates.json"
