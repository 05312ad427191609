"""Flows for the tests of the runner. Each leaves what it has to say in a file it is given."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from prefect import flow, get_run_logger, runtime, suspend_flow_run

WORD = "first"


def say(to: str, **more: object) -> None:
    spec = sys.modules["__main__"].__spec__
    said = {
        "pid": os.getpid(),
        "process": spec.name if spec else "",
        "at": time.time(),
        "word": WORD,
    }
    with Path(to).open("a") as out:
        out.write(json.dumps(said | more) + "\n")


def cancelled(flow: object, flow_run: object, state: object) -> None:
    say(getattr(flow_run, "parameters")["to"], hook="cancelled")  # noqa: B009


def crashed(flow: object, flow_run: object, state: object) -> None:
    say(getattr(flow_run, "parameters")["to"], hook="crashed")  # noqa: B009


@flow
async def quick(to: str, number: int = 0) -> None:
    say(to, number=number, started=str(runtime.flow_run.id))
    get_run_logger().info("said %d", number)


@flow
async def hourly(to: str) -> None:
    say(to, tags=runtime.flow_run.tags)


@flow
def synchronous(to: str) -> None:
    say(to)


@flow(on_cancellation=[cancelled], on_crashed=[crashed])
async def patient(to: str) -> None:
    say(to)
    while not Path(f"{to}.go").exists():
        await asyncio.sleep(0.05)
    say(to, ended=True)


@flow(retries=1, retry_delay_seconds=0)
async def flaky(to: str) -> None:
    say(to)
    if len(Path(to).read_text().splitlines()) < 2:
        raise ValueError("the first try always fails")


@flow
async def wrong(to: str) -> None:
    say(to)
    raise ValueError("wrong")


@flow
async def suspended(to: str) -> None:
    say(to)
    if len(Path(to).read_text().splitlines()) < 2:
        await suspend_flow_run(timeout=600)
    say(to, ended=True)
