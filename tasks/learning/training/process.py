"""The training process seen by its parent: started, followed, and stopped in time."""

import subprocess
import sys
from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread

import thirdshift.errors
from tasks.learning.training.records import (
    Done,
    Failed,
    Go,
    Job,
    Message,
    Plan,
    Progress,
    Stopped,
)
from tasks.runs.preemption import due
from thirdshift.errors import ThirdShiftError, TrainingFailed
from thirdshift.records import Record
from thirdshift.settings import settings

GRACE = 2.5  # seconds to save and end; a gate is looked at every 2, so it yields within 5
_LOOK = 0.1  # seconds between two looks whether to yield
_SHOWN = 200  # characters of the log's end that an error shows

OnProgress = Callable[[Progress], None]


class TrainingProcess:
    """A child process that trains; `make_room` answers its plans."""

    def __init__(self, job: Job, make_room: Callable[[Plan], Go], on_progress: OnProgress) -> None:
        self._job = job
        self._make_room = make_room
        self._on_progress = on_progress
        self._log = settings().logs_path / "training.log"
        self._lines: Queue[str] = Queue()  # lines of the child, "" at the end

    def run(self) -> None:
        """Train until the adapter is there; raises what `finetune.train` says."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("w", encoding="utf-8") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "tasks.learning.training.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        Thread(target=self._listen, name="training", daemon=True).start()
        try:
            self._tell(self._job)
            self._follow()
        finally:
            self._stop()

    def _follow(self) -> None:
        while True:
            put_off = due()
            if put_off:
                self._stop()
                raise put_off
            try:
                line = self._lines.get(timeout=_LOOK)
            except Empty:
                continue
            if self._ended(line):
                return

    def _ended(self, line: str) -> bool:
        """Act on what the child said; tell whether the adapter is there."""
        if not line:
            raise TrainingFailed(f"The training died: {self._last_words()}", f"See {self._log}.")
        message = Message.validate_json(line)
        if isinstance(message, Plan):
            self._tell(self._make_room(message))
        elif isinstance(message, Progress):
            self._on_progress(message)
        elif isinstance(message, Stopped):
            what = f"The training was stopped after iteration {message.iteration}."
            raise TrainingFailed(what, "Start it again: it goes on from there.")
        elif isinstance(message, Failed):
            raise _error(message)
        return isinstance(message, Done)

    def _tell(self, message: Record) -> None:
        assert self._child.stdin
        try:
            self._child.stdin.write(message.model_dump_json() + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:  # it died; that its words end tells the rest
            self._lines.put("")

    def _listen(self) -> None:
        assert self._child.stdout
        for line in self._child.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _stop(self) -> None:
        """End the child, by force after a while: then it goes on from an earlier checkpoint."""
        self._child.terminate()
        try:
            self._child.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _last_words(self) -> str:
        code = self._child.wait()
        words = self._log.read_text(encoding="utf-8", errors="replace").strip()
        last = words.rpartition("\n")[2][-_SHOWN:]
        return f"{last or 'it said nothing'} (exit code {code})."


def _error(failure: Failed) -> ThirdShiftError:
    kind: type[ThirdShiftError] = getattr(thirdshift.errors, failure.error)
    return kind(failure.what, failure.remedy)
