"""Preemption: a heavy run notices that its gate closed, saves where it is, comes back later.

A flow's body either walks through `preemptible(steps, …)`, or asks `due()` at points of its
own choosing, saves to a `Checkpoint` and raises Preempted.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from tasks.machine.disk import write_whole
from tasks.runs.gate import Decision
from thirdshift.records import now
from thirdshift.settings import settings

T = TypeVar("T")

EVERY = 2.0  # seconds between two looks at the sensors
_watch: ContextVar["Watch | None"] = ContextVar("watch", default=None)


class PutOff(BaseException):
    """Not an error: this run shall go on at another time. Bodies let it pass, like a cancel."""

    name = "PutOff"

    def __init__(self, reason: str, next_try: datetime) -> None:
        self.reason = reason
        self.next_try = next_try
        super().__init__(reason)


class Deferred(PutOff):
    """The run may not start yet."""

    name = "Deferred"


class Preempted(PutOff):
    """The run yielded; its checkpoint says how far it came."""

    name = "Preempted"


class Watch:
    """A thread that asks `look` every two seconds until the gate closes or the run ends."""

    def __init__(self, look: Callable[[], Decision]) -> None:
        self._look = look
        self._over = threading.Event()
        self.closed: Decision | None = None

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="preemption", daemon=True).start()

    def end(self) -> None:
        """Stop looking; work that still goes on in other threads is due to stop too."""
        self._over.set()

    @property
    def due(self) -> Preempted | None:
        """What the body is to raise at its next checkpoint, or None."""
        if self.closed and self.closed.next_try:
            return Preempted(self.closed.reason, self.closed.next_try)
        if self._over.is_set():
            return Preempted("The run was told to end.", now() + timedelta(minutes=1))
        return None

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            decision = self._look()
            if not decision.open:
                self.closed = decision
                return


@contextmanager
def watching(look: Callable[[], Decision]) -> Iterator[Watch]:
    """Watch the gate while the body runs."""
    watch = Watch(look)
    token = _watch.set(watch)
    watch.start()
    try:
        yield watch
    finally:
        watch.end()
        _watch.reset(token)


def due() -> Preempted | None:
    """Return what to raise where the run should yield now; None: go on. Costs nothing."""
    watch = _watch.get()
    return watch.due if watch else None


class Checkpoint:
    """A small JSON file that is there whole or not at all, whatever kills its writer."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def named(cls, *parts: str) -> "Checkpoint":
        """Return the checkpoint of that name; name what the work depends on, e.g. its data."""
        return cls(settings().checkpoints_path / f"{'-'.join(parts)}.json")

    def load(self) -> dict[str, Any]:
        """Return what was saved last, or an empty state."""
        if not self.path.exists():
            return {}
        state: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace what was saved."""
        self._write(json.dumps(state))

    def clear(self) -> None:
        """Forget it: the work is done."""
        self.path.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        write_whole(self.path, text, durable=True)


def preemptible(
    steps: Iterable[T], checkpoint: Checkpoint, state: dict[str, Any], every: float = 0
) -> Iterator[T]:
    """Yield the steps not done yet, and stop with Preempted where the run should yield.

    `state` is the body's own, loaded from `checkpoint`; it is saved after a step, with their
    number as `done`, at most every `every` seconds, and whenever the loop is left, by a
    signal too. A step that is broken off in its midst runs again from its beginning.
    """
    written_at, text = monotonic(), None
    try:
        for step in islice(steps, state.setdefault("done", 0), None):
            yield step
            state["done"] += 1
            text = json.dumps(state)  # of this moment: the next step may be broken off
            preempted = due()
            if preempted or monotonic() - written_at >= every:
                checkpoint._write(text)
                written_at, text = monotonic(), None
            if preempted:
                raise preempted
    finally:
        if text:
            checkpoint._write(text)
