"""Orphan prevention: a process of ours ends when its parent dies, so none outlives a kill."""

import os
import signal
import threading
import time

EVERY = 0.5  # seconds between two looks at the parent


def end_with_parent(grace: float = 10.0) -> None:
    """Watch the parent in a daemon thread; when it is gone, end as on TERM, by force after `grace`.

    Call it first thing in `main`. `grace` is in seconds. Polling is all that works alike on
    Linux and macOS.
    """
    parent = os.getppid()
    watch = threading.Thread(target=_watch, args=(parent, grace), name="lifeline", daemon=True)
    watch.start()


def _watch(parent: int, grace: float) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os._exit(1)  # TERM was not heard: C code that holds the main thread never returns to Python
