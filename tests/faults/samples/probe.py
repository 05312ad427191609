"""Flows for the fault matrix: each writes a line when its body begins, and one when it ends."""

import asyncio
import json
import os
import time
from pathlib import Path

from prefect import flow, runtime


def say(to: str, what: str) -> None:
    line = {"run": str(runtime.flow_run.id), "pid": os.getpid(), "at": time.time(), "what": what}
    with Path(to).open("a") as out:
        out.write(json.dumps(line) + "\n")


@flow
async def tick(to: str) -> None:
    say(to, "began")
    await asyncio.sleep(0.2)
    say(to, "ended")


@flow
async def hold(to: str, seconds: float) -> None:
    say(to, "began")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(0.1)
    say(to, "ended")
