"""Process table: which process a run has, noted in files that outlive the runner.

A process id alone says little: the system gives it out again. So its birth is kept with it, on
Linux in clock ticks since the machine started, which no set clock changes.
"""

import json
import logging
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psutil

from tasks.machine.disk import write_whole
from thirdshift.settings import settings

GRACE = 20.0  # seconds a process has to end after TERM

log = logging.getLogger("prefect.runner.processes")


class Processes:
    """The notes, one file per run under run_path."""

    def __init__(self) -> None:
        self._folder = settings().run_path / "runs"

    def note(self, run: UUID, pid: int) -> None:
        """Note that the run is executed by the process."""
        try:
            write_whole(self._file(run), json.dumps({"pid": pid, "born": _born(pid)}))
        except OSError as error:  # a full disk; the run may start all the same
            log.warning("The process of run %s could not be noted: %s", run, error)

    def forget(self, run: UUID) -> None:
        """Forget a run that has ended."""
        with suppress(OSError):  # a note too many does no harm
            self._file(run).unlink(missing_ok=True)

    def find(self, run: UUID) -> psutil.Process | None:
        """Return the run's process if it lives."""
        try:
            noted = json.loads(self._file(run).read_text())
            process = psutil.Process(noted["pid"])
            if process.status() != psutil.STATUS_ZOMBIE and _born(process.pid) == noted["born"]:
                return process
        except (OSError, ValueError, KeyError, psutil.Error):  # no note, a torn one, no process
            return None
        return None

    def described(self, run: UUID) -> str:
        """Return what is known of the run's process, in words."""
        try:
            return f"process {json.loads(self._file(run).read_text())['pid']}"
        except (OSError, ValueError, KeyError):
            return "none was noted"

    def sweep(self) -> None:
        """Remove the notes on processes that are gone, some time after they went."""
        for file in self._folder.glob("*.json"):
            with suppress(OSError, ValueError):
                if not self.find(UUID(file.stem)) and _old(file):
                    file.unlink()

    def _file(self, run: UUID) -> Path:
        return self._folder / f"{run}.json"


def end(process: psutil.Process) -> None:
    """End a process by TERM, and by force where that does not help."""
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(GRACE)
        except psutil.TimeoutExpired:
            process.kill()


def _born(pid: int) -> str:
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        except OSError:
            return ""
    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return ""


def _old(file: Path) -> bool:
    return time.time() - file.stat().st_mtime > 86_400
