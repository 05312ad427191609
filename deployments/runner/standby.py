"""Warm standby: a process that waits for one run, Prefect and the flows imported.

`deployments.runner.warm` starts it with a socket as standard input. It says "ready", waits for one
line (the run, its entrypoint and environment), says "taken", runs it as Prefect's engine does
and ends; its exit code is the run's. When the runner dies it ends if idle. A run under way
goes on, as with Prefect's own starter.
"""

import gc
import importlib
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from prefect.flows import Flow

ENGINE = (
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.events.clients",
    "prefect.logging.handlers",
    "prefect._internal.metrics",
    "prefect._internal.observers",
    "anyio._backends._asyncio",  # the rest would be imported lazily, inside the run
    "encodings.idna",
    "rich._emoji_codes",
    "thirdshift.settings",
)
# Their pydantic models are completed on first use, which takes 60 ms of the first run.
SCHEMAS = (
    "prefect.client.schemas.actions",
    "prefect.client.schemas.objects",
    "prefect.client.schemas.responses",
    "prefect.context",
    "prefect.events",
    "prefect.events.filters",
    "prefect.results",
)


def main(entrypoints: list[str]) -> None:
    """Import what the runs of `entrypoints` need, wait for one run, and run it."""
    channel = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runner
    importer = threading.Thread(target=_prepare, args=(entrypoints,))
    importer.start()
    importer.join()
    channel.sendall(b"ready\n")
    order = channel.makefile().readline()
    if not order:
        return
    channel.sendall(b"taken\n")
    channel.close()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(**json.loads(order))


def run(entrypoint: str, env: dict[str, str], flow_run: dict[str, Any]) -> None:
    """Run `flow_run` in this process as `python -m prefect.engine` would.

    Leaves by SystemExit where the engine does. The interpreter then has to end normally, or
    the last log lines are lost.
    """
    from prefect._internal.control_listener import configure_from_env
    from prefect._internal.metrics import RunMetrics
    from prefect.client.schemas.objects import FlowRun
    from prefect.engine import _drive_run_flow_result, handle_engine_signals
    from prefect.flow_engine import run_flow
    from prefect.logging.loggers import flow_run_logger

    from thirdshift.settings import settings

    os.environ.update(env)
    settings.cache_clear()
    configure_from_env()
    with handle_engine_signals(UUID(flow_run["id"])):
        this = FlowRun.model_validate(flow_run)
        logger = flow_run_logger(this)
        try:
            flow = load(entrypoint)
        except Exception:
            logger.exception("The flow %s cannot be loaded.", entrypoint)
            raise
        with RunMetrics(this, flow):
            result = run_flow(flow, flow_run=this, error_logger=logger)  # type: ignore[arg-type]
            _drive_run_flow_result(flow, result)


def load(entrypoint: str) -> "Flow[..., Any]":
    """Return the flow at a module entrypoint, e.g. `flows.ingest.ingest`."""
    module, _, name = entrypoint.rpartition(".")
    flow: Flow[..., Any] = getattr(importlib.import_module(module), name)
    return flow


def _prepare(entrypoints: Iterable[str]) -> None:
    _yield_to_others()
    for module in (*ENGINE, *SCHEMAS):
        importlib.import_module(module)
    for entrypoint in entrypoints:
        try:
            load(entrypoint)
        except Exception:  # its own runs raise it again, where it is reported; the others go on
            logging.getLogger(__name__).debug("%s does not load", entrypoint, exc_info=True)
    _complete_models()
    gc.collect()
    gc.freeze()


def _yield_to_others() -> None:
    """Give this thread a low priority: the imports may take their time, the run may not.

    A process cannot take back a `nice` of its own; but priority belongs to the thread on
    Linux, and on macOS there is a call for it.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
    elif sys.platform == "darwin" and sys.version_info >= (3, 12):
        os.setpriority(os.PRIO_DARWIN_THREAD, 0, os.PRIO_DARWIN_BG)


def _complete_models() -> None:
    from pydantic import BaseModel

    for module in SCHEMAS:
        for model in vars(sys.modules[module]).values():
            if isinstance(model, type) and issubclass(model, BaseModel) and model is not BaseModel:
                model.model_rebuild(raise_errors=False)  # does nothing where it is complete


if __name__ == "__main__":
    main(sys.argv[1:])
