"""Mutual exclusion: one heavy run at a time on this machine, across processes and restarts.

The slot is a locked file: the system releases it whatever ends the holder. A note beside it
says who holds it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from tasks.machine.disk import write_whole
from thirdshift.records import now
from thirdshift.settings import settings


class SlotTaken(Exception):
    """Another heavy run is under way; the message names it."""


@contextmanager
def hold(run: str) -> Iterator[None]:
    """Hold the slot meanwhile, without waiting; raises SlotTaken."""
    settings().run_path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings().run_path / "heavy.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SlotTaken(holder() or "a heavy run that has only begun") from None
    try:
        note = {"run": run, "pid": os.getpid(), "since": f"{now()}"}
        write_whole(_note(), json.dumps(note))
        yield
    finally:
        _note().unlink(missing_ok=True)
        lock.release()


def holder() -> str | None:
    """Return who holds the slot, or None; a note whose process is gone counts for nothing."""
    try:
        note = json.loads(_note().read_text())
    except (OSError, ValueError):  # no note, or one that a power cut left empty
        return None
    return f"{note['run']} (process {note['pid']})" if psutil.pid_exists(note["pid"]) else None


def _note() -> Path:
    return settings().run_path / "heavy.json"
