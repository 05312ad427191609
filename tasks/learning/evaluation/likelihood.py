"""Log-likelihood of answers under a model, with and without an adapter, in a child process.

The child's memory is free again when it ends. What was weighed is kept by model and text, so the
base is weighed once for many nights, and a run that yielded goes on where it stopped.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from subprocess import PIPE, Popen
from threading import Thread
from typing import IO, Any

from tasks.learning.evaluation.likelihood_child import Ask, Row, Weighed
from tasks.models.budget import make_room
from tasks.models.runtime import runtime
from tasks.runs.preemption import due
from thirdshift.errors import EvaluationFailed
from thirdshift.records import content_hash
from thirdshift.settings import settings

_COMMAND = [sys.executable, "-P", "-m", "tasks.learning.evaluation.likelihood_child"]
_LOOK = 0.1  # seconds between two looks whether to yield
_SCRATCH = 1 << 30  # bytes: a batch's logits, and what MLX keeps for the next one
_SHOWN = 300  # characters of the child's last words that an error shows


def weigh(base: Path, adapter: Path | None, rows: Sequence[Row]) -> list[Weighed]:
    """Return the log-probability of each row's completion, in order.

    `base` is an MLX model folder, `adapter` an adapter folder of mlx-lm. Raises Preempted where
    the run is to yield, OutOfMemory with the numbers, EvaluationFailed where the child dies.
    """
    cache = _cache(base, adapter)
    known = _known(cache)
    missing = list({row.id: row for row in rows if row.id not in known}.values())
    if missing:
        make_room(runtime(), "Weighing answers", _need(base), keep_sentinel=False)
        with cache.open("a", encoding="utf-8") as file:
            for weighed in _child(Ask(base=base, adapter=adapter, rows=missing)):
                file.write(weighed.model_dump_json() + "\n")
                known[weighed.id] = weighed
    return [known[row.id] for row in rows]


def _child(ask: Ask) -> Iterator[Weighed]:
    """Run the child and yield what it says; it is ended when the run is to yield."""
    log = settings().logs_path / "likelihood.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        child = subprocess.Popen(_COMMAND, stdin=PIPE, stdout=PIPE, stderr=errors, text=True)
    Thread(target=_hand_over, args=(child, ask), name="likelihood", daemon=True).start()
    try:
        yield from map(Weighed.model_validate_json, _lines(child))
    finally:
        child.terminate()
        code = child.wait()
    if code:
        words = log.read_text(encoding="utf-8", errors="replace").strip()[-_SHOWN:]
        raise EvaluationFailed(f"Weighing answers died ({code}): {words}", f"See {log}.")


def _lines(child: "Popen[str]") -> Iterator[str]:
    """Yield what the child says until it ends; raises Preempted where the run is to yield."""
    lines: Queue[str] = Queue()
    assert child.stdout
    Thread(target=_listen, args=(child.stdout, lines), name="likelihood", daemon=True).start()
    while True:
        if put_off := due():
            raise put_off
        try:
            line = lines.get(timeout=_LOOK)
        except Empty:
            continue
        if not line:
            child.wait()
            return
        yield line


def _listen(stdout: IO[str], lines: "Queue[str]") -> None:
    for line in stdout:
        lines.put(line)
    lines.put("")


def _hand_over(child: "Popen[str]", ask: Ask) -> None:
    """Hand the child its rows; more than a pipe holds would block whoever follows it."""
    assert child.stdin
    with suppress(BrokenPipeError):  # it died: its exit code and its words tell the rest
        child.stdin.write(ask.model_dump_json() + "\n")
        child.stdin.close()


def _need(base: Path) -> int:
    """Return the bytes the child will take: weights, and the logits of a batch."""
    return sum(file.stat().st_size for file in base.glob("*.safetensors")) + _SCRATCH


def _cache(base: Path, adapter: Path | None) -> Path:
    """Return where the figures of this model are kept; another model has another file."""
    model = content_hash(base.name, *(_stamp(folder) for folder in (base, adapter) if folder))
    folder = settings().evaluations_path / "likelihood"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{model}.jsonl"


def _stamp(folder: Path) -> str:
    files = sorted(folder.glob("*.safetensors"))
    return json.dumps([[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files])


def _known(file: Path) -> dict[str, Weighed]:
    known: dict[str, Weighed] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            row: Any = json.loads(line)
        except json.JSONDecodeError:  # its writer was killed in the midst of it
            continue
        known[row["id"]] = Weighed.model_validate(row)
    return known
