"""The fault matrix: what becomes of runs when a process of ours is ended, killed or stopped.

    python tests/faults/matrix.py --rounds 2 --stop 120 --stop-rounds 1 --write docs/faults.md

A whole installation in a temporary home, for real. While one process after the other meets its
fault, a run is asked for every few seconds. *Lost* is a run the server acknowledged and that
has not ended 150 s later, *twice* one whose body began twice, *crashed* one that ended as
Crashed. A killed supervisor is started again after a second, as the system's service does.
"""

import argparse
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # as a script

from deployments.services import supervise
from thirdshift.settings import at_home

SAMPLES = Path(__file__).parent / "samples"
PROCESSES = ("supervisor", "server", "runner", "engine", "flow", "all")
FAULTS = ("TERM", "KILL", "STOP")
PATIENCE = 150.0  # seconds until a run that has not ended counts as lost
EVERY = 3.0  # seconds between two runs that are asked for
HOLD = 8.0  # seconds the run under way would take


@dataclass
class Result:
    """What one fault did."""

    process: str
    fault: str
    recovered: float  # seconds until a run asked for afterwards had ended (STOP: from CONT on)
    held: float  # seconds from the fault until the run that was under way had ended, somehow
    asked: int
    lost: int = 0
    twice: int = 0
    crashed: int = 0
    states: dict[str, int] = field(default_factory=dict)


class Installation:
    """Third Shift in a temporary home, its API, and the file its runs write to."""

    def __init__(self, folder: Path, programs: list[str]) -> None:
        self.programs = programs
        self.said = folder / "said"
        self.ports = {"PREFECT": free_port(), "ENGINE": free_port()}
        self.home = folder / "home"
        self._variables = {f"THIRDSHIFT_PORTS__{name}": str(p) for name, p in self.ports.items()}
        self._variables |= {
            "THIRDSHIFT_HOME": str(self.home),
            "THIRDSHIFT_RUNNER__STANDBYS": "2",
            "THIRDSHIFT_MODELS__RUNTIME": "embedded",
            "PYTHONPATH": os.pathsep.join([str(SAMPLES), str(ROOT)]),
        }
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self.ports['PREFECT']}/api", timeout=5, trust_env=False
        )
        self.home.mkdir()
        self._log = (folder / "supervisor.log").open("a")
        self.start()

    def start(self) -> None:
        """Start the supervisor and wait until runs run."""
        command = [sys.executable, "-P", "-m", "up_probes", *self.programs]
        self.supervisor = subprocess.Popen(
            command, env=os.environ | self._variables, stdout=self._log, stderr=self._log
        )

    def stop(self) -> None:
        self.supervisor.terminate()
        self.supervisor.wait(90)

    def ensure_up(self) -> None:
        """Start the supervisor again if it is gone: here stands the system's service."""
        if self.supervisor.poll() is not None:
            time.sleep(1)
            self.start()

    def pids(self, process: str) -> list[int]:
        if process == "supervisor":
            return [self.supervisor.pid]
        if process == "all":  # the supervisor first, lest it starts others
            return [self.supervisor.pid, *self.family()]
        with at_home(self.home):
            return [int(until(lambda: dict(running()).get(process)))]

    def family(self) -> list[int]:
        """Return all processes of this home: flows and standbys too."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("THIRDSHIFT_HOME") == str(self.home):
                    found.append(process.pid)
        return found

    def ask(self, flow: str, **parameters: Any) -> UUID | None:
        """Ask for a run; None where the server did not acknowledge it."""
        given = {"parameters": {"to": str(self.said), **parameters}, "state": {"type": "SCHEDULED"}}
        try:
            deployment = self.api.get(f"/deployments/name/{flow}/{flow}").raise_for_status().json()
            path = f"/deployments/{deployment['id']}/create_flow_run"
            return UUID(self.api.post(path, json=given).raise_for_status().json()["id"])
        except httpx.HTTPError:
            return None

    def state(self, run: UUID) -> str:
        """Return the type of a run's state, or nothing while the server does not answer."""
        try:
            found = self.api.get(f"/flow_runs/{run}").raise_for_status().json()
            return str(found["state_type"])
        except httpx.HTTPError:
            return ""

    def ended(self, run: UUID) -> bool:
        return self.state(run) in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.said.read_text().splitlines() if line]


class Feeder(threading.Thread):
    """Asks for a run every few seconds, and remembers when each was acknowledged."""

    def __init__(self, place: Installation, held: UUID) -> None:
        super().__init__(daemon=True)
        self.runs: dict[UUID, float] = {}
        self.held, self.held_ended = held, 0.0
        self._place, self._enough = place, threading.Event()

    def run(self) -> None:
        while not self._enough.wait(EVERY):
            if not self.held_ended and self._place.ended(self.held):
                self.held_ended = time.monotonic()
            if run := self._place.ask("tick"):
                self.runs[run] = time.monotonic()

    def finish(self) -> None:
        self._enough.set()
        self.join(30)


def meet(place: Installation, process: str, fault: str, stop: float) -> Result:
    """Let one process meet one fault, and count what became of the runs."""
    warm(place)
    held = until(lambda: place.ask("hold", seconds=HOLD))
    worker = until(lambda: began(place, held))
    pids = [worker] if process == "flow" else place.pids(process)
    assert process != "all" or worker in pids
    feeder = Feeder(place, held)
    feeder.start()
    time.sleep(EVERY / 2)
    since = begin = time.monotonic()
    strike(pids, getattr(signal, f"SIG{fault}"))
    if fault == "STOP":
        time.sleep(stop)
        since = time.monotonic()
        strike(pids, signal.SIGCONT)
    elif process in ("supervisor", "all"):
        place.supervisor.wait(90)
    place.ensure_up()
    recovered = recovery(place, feeder, since)
    until(lambda: feeder.held_ended, PATIENCE)
    feeder.finish()
    result = Result(process, fault, round(recovered, 1), round(feeder.held_ended - begin, 1), 0)
    return count(place, result, [held, *feeder.runs])


def strike(pids: list[int], sign: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, sign)


def warm(place: Installation) -> None:
    """Wait until a run ends, and all programs have run for a while."""
    run = until(lambda: place.ask("tick"), 180)
    until(lambda: place.ended(run), 60)
    until(lambda: answers(place.ports["ENGINE"]) if "engine" in place.programs else True, 120)


def recovery(place: Installation, feeder: Feeder, since: float) -> float:
    """Return seconds until a run acknowledged after `since` has ended."""
    later = until(lambda: next((r for r, at in list(feeder.runs.items()) if at > since), None), 180)
    until(lambda: place.state(later) == "COMPLETED", 180)
    return time.monotonic() - since


def count(place: Installation, result: Result, runs: list[UUID]) -> Result:
    deadline = time.monotonic() + PATIENCE
    while not all(place.ended(run) for run in runs) and time.monotonic() < deadline:
        time.sleep(1)
    begun = [line["run"] for line in place.lines() if line["what"] == "began"]
    result.asked = len(runs)
    for run in runs:
        state = until(lambda run=run: place.state(run))  # type: ignore[misc]
        result.states[state] = result.states.get(state, 0) + 1
        result.lost += not place.ended(run)
        result.twice += begun.count(str(run)) > 1
        result.crashed += state == "CRASHED"
    return result


def running() -> list[tuple[str, int | None]]:
    return [(program.name, program.pid) for program in supervise.status()]


def began(place: Installation, run: UUID) -> int | None:
    if not place.said.exists():
        return None
    return next((line["pid"] for line in place.lines() if line["run"] == str(run)), None)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(holds: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(0.1)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def faults(process: str) -> tuple[str, ...]:
    return ("KILL",) if process == "all" else FAULTS


def table(results: list[Result], stop: float) -> str:
    """Return the results as a Markdown table, a line per process and fault."""
    lines = [
        "| process | fault | rounds | recovered, s (median; worst) | run under way ended, s "
        "| runs asked for | lost | run twice | crashed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for process in PROCESSES:
        for fault in faults(process):
            some = [one for one in results if (one.process, one.fault) == (process, fault)]
            if not some:
                continue
            times = [one.recovered for one in some]
            name = f"STOP {stop:.0f} s" if fault == "STOP" else fault
            sums = [sum(getattr(one, key) for one in some) for key in ("asked", "lost", "twice")]
            lines.append(
                f"| {process} | {name} | {len(some)} "
                f"| {statistics.median(times):.1f}; {max(times):.1f} "
                f"| {statistics.median([one.held for one in some]):.0f} "
                f"| {' | '.join(map(str, sums))} | {sum(one.crashed for one in some)} |"
            )
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5, help="of TERM and KILL")
    options.add_argument("--stop", type=float, default=120, help="seconds")
    options.add_argument("--stop-rounds", type=int, default=5)
    options.add_argument("--only", choices=PROCESSES, nargs="+", default=PROCESSES)
    options.add_argument("--write", type=Path, help="a Markdown file whose table is replaced")
    given = options.parse_args()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        place = Installation(Path(folder), ["server", "engine", "runner"])
        try:
            for number in range(max(given.rounds, given.stop_rounds)):
                for process in given.only:
                    for fault in faults(process):
                        if number < (given.stop_rounds if fault == "STOP" else given.rounds):
                            results.append(meet(place, process, fault, given.stop))
                            print(results[-1], flush=True)
                            write(given.write, results, given.stop)
        finally:
            place.stop()


def write(file: Path | None, results: list[Result], stop: float) -> None:
    """Put the table between the file's two marks; without a file, print it at the end."""
    if file is None:
        return
    head, _, rest = file.read_text("utf-8").partition("<!-- table -->\n")
    _, end, foot = rest.partition("<!-- end -->\n")
    made = f"{table(results, stop)}\n\nMeasured on {platform.system()}, {os.cpu_count()} cores.\n"
    file.write_text(f"{head}<!-- table -->\n{made}{end}{foot}", "utf-8")


if __name__ == "__main__":
    main()
