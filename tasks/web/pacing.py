"""Rate limiting: when a host may be asked again, one visit at a time over all our processes.

The time of a file per host is the moment of its next visit, so that a server's Retry-After
outlives the process that was told.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from thirdshift.errors import PageUnavailable
from thirdshift.records import content_hash
from thirdshift.settings import settings

LONGEST = 86_400.0  # seconds a host may put us off, whatever it or a wrong clock says


def take_turn(host: str, delay: float) -> None:
    """Wait until the host may be asked; the next one waits `delay` seconds more.

    Raises PageUnavailable, with `retry_at`, where that is further off than web.patience_seconds.
    """
    path = _path(host)
    with FileLock(f"{path}.lock"):
        moment = time.time()
        wait = max(0.0, _next(path) - moment)
        visit = moment + wait
        if wait > settings().web.patience_seconds:
            raise PageUnavailable(
                f"{host} is not asked for another {wait:.0f} s: it wants its rest.",
                retry_at=datetime.fromtimestamp(visit, UTC),
            )
        _set(path, visit + delay)
    time.sleep(wait)


def put_off(host: str, until: datetime) -> None:
    """Leave the host alone until then."""
    path = _path(host)
    with FileLock(f"{path}.lock"):
        _set(path, max(_next(path), until.timestamp()))


def _path(host: str) -> Path:
    folder = settings().web_path / "hosts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / content_hash(host)


def _next(path: Path) -> float:
    try:
        return min(path.stat().st_mtime, time.time() + LONGEST)
    except FileNotFoundError:
        return 0.0


def _set(path: Path, moment: float) -> None:
    path.touch()
    os.utime(path, (moment, moment))
