"""A run meets the terms of its deployment: those the runner published, and no others."""

from typing import Any
from uuid import uuid4

import pytest

from tasks.runs import heavy_slot
from tasks.runs.admission import (
    Terms,
    admitted,
    publish,
    started_by_hand,
    terms_of,
)
from tasks.runs.energy import metering
from tasks.runs.gate import Gate
from tasks.runs.preemption import Deferred, due
from thirdshift.records import now

BUSY = Gate(load_ceiling=1e-9, min_idle_minutes=1e9, hours="00:00-00:01", memory_floor=1e-9)


def test_a_run_finds_the_terms_of_its_deployment() -> None:
    publish({"1": Terms(name="train-lora", gate=BUSY, heavy=True), "2": Terms(name="ingest")})

    assert terms_of("1", by_owner=False).gate == BUSY
    assert terms_of("2", by_owner=False) == Terms(name="ingest")


def test_a_run_by_hand_meets_what_protects_the_machine() -> None:
    publish({"1": Terms(name="train-lora", gate=BUSY, heavy=True)})

    terms = terms_of("1", by_owner=True)

    assert terms.gate == Gate(memory_floor=1e-9)
    assert terms.heavy


@pytest.mark.parametrize(
    ("made", "by_hand"),
    [
        ({}, True),
        ({"auto_scheduled": True}, False),
        ({"created_by": {"type": "AUTOMATION"}}, False),
        ({"idempotency_key": "retry 1"}, False),
    ],
)
def test_only_what_a_person_starts_is_by_hand(made: dict[str, Any], by_hand: bool) -> None:
    from prefect.client.schemas.objects import FlowRun

    run = FlowRun.model_validate({"id": uuid4(), "flow_id": uuid4(), **made})

    assert started_by_hand(run) is by_hand


def test_where_nothing_is_published_nothing_is_asked() -> None:
    assert terms_of("1", by_owner=False) == Terms(name="1")


def test_a_closed_gate_defers_before_anything_is_done() -> None:
    began = now()

    with (
        metering() as meter,
        pytest.raises(Deferred, match=r"memory: .* wanted at least 100 % available") as caught,
        admitted(Terms(name="a", gate=Gate(memory_floor=100)), "a", meter),
    ):
        raise AssertionError("it was let in")

    assert caught.value.next_try > began


def test_a_second_heavy_run_is_deferred_and_names_the_first() -> None:
    with (
        metering() as meter,
        heavy_slot.hold("the first"),
        pytest.raises(Deferred, match="heavy slot: held by the first"),
        admitted(Terms(name="a", heavy=True), "the second", meter),
    ):
        raise AssertionError("it was let in")


def test_a_heavy_run_holds_the_slot_while_it_works() -> None:
    with metering() as meter, admitted(Terms(name="a", heavy=True), "the run", meter):
        assert "the run" in str(heavy_slot.holder())
        assert due() is None

    assert heavy_slot.holder() is None
