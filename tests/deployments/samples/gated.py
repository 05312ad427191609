"""Heavy flows on a machine whose power supply is a folder, so that a test can pull the plug."""

import asyncio
from pathlib import Path

from prefect import flow
from sampled import say

import tasks.machine.sensors
from tasks.machine.linux import Linux
from tasks.machine.probes import Absent
from tasks.runs.outcomes import accountable
from tasks.runs.preemption import Checkpoint, preemptible
from thirdshift.outcome import Outcome
from thirdshift.settings import settings


def silent(*_: str) -> str:
    raise Absent("There is no logind here.")


tasks.machine.sensors.machine = lambda: Linux(settings().home / "root", silent)


@flow
@accountable
async def gated(to: str, number: int = 0) -> Outcome:
    """Say one thing."""
    say(to, number=number)
    return Outcome.checked("Said.", [], it_is_written=Path(to).exists())


@flow
@accountable
async def idle(to: str, number: int = 0) -> Outcome:
    """Say one thing, when nobody is there."""
    say(to, number=number)
    return Outcome.checked("Said.", [], it_is_written=Path(to).exists())


@flow
@accountable
async def walk(to: str, steps: int = 10, seconds: float = 0.1) -> Outcome:
    """Take steps, each with a line; where it left off is in a checkpoint."""
    checkpoint = Checkpoint.named("walk", Path(to).name)
    state = checkpoint.load()
    for step in preemptible(range(steps), checkpoint, state):
        say(to, step=step)
        await asyncio.sleep(seconds)
    checkpoint.clear()
    return Outcome.checked("Walked.", [], every_step_was_taken=state["done"] == steps)
