import asyncio
import logging
from collections.abc import Callable
from itertools import count

import pytest

from deployments.runner import clock, reconcile
from deployments.runner.clock import ClockReading, happened, read_clocks


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (ClockReading(105, 5, 5), ""),
        (ClockReading(105 + 7200, 5, 5 + 7200), "The machine slept for 2 h 00 min."),
        (ClockReading(105 + 90, 5, 5), "The clock was set forward 1 min 30 s."),
        (ClockReading(105 - 3600, 5, 5), "The clock was set back 1 h 00 min."),
        (
            ClockReading(105, 5, 5 + 600),
            "The machine slept for 10 min. The clock was set back 10 min.",
        ),
        (ClockReading(107, 5, 5), ""),  # adjusted, not set
    ],
)
def test_sleep_and_set_clocks_are_told_apart(after: ClockReading, said: str) -> None:
    assert happened(ClockReading(100, 0, 0), after) == said


def test_nothing_has_happened_between_two_looks() -> None:
    assert happened(read_clocks(), read_clocks()) == ""


async def test_a_new_time_zone_is_told_once(
    override: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def new_zone() -> None:
        told.append("new")

    monkeypatch.setattr(clock, "EVERY", 0.01)
    override(TIMEZONE="Asia/Tokyo")
    watching = asyncio.create_task(clock.watch(new_zone))
    await asyncio.sleep(0.1)
    override(TIMEZONE="Europe/Berlin")
    await asyncio.sleep(0.2)
    watching.cancel()

    assert told == ["new"]


async def test_a_look_that_keeps_failing_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = count(1)

    async def fail() -> None:
        if next(looks) > 3 * reconcile.LASTS:
            raise asyncio.CancelledError
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(reconcile, "EVERY", 0)
    caplog.set_level(logging.WARNING)
    reconciler = reconcile.Reconciler(None, reconcile.Processes(), set)  # type: ignore[arg-type]
    monkeypatch.setattr(reconciler, "look", fail)
    with pytest.raises(asyncio.CancelledError):
        await reconciler.keep_looking()

    (told,) = caplog.messages
    assert "12 times in a row" in told and "nobody answers" in told
