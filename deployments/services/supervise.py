"""Process supervision: supervisord over the server, the runner and the engine.

`up` writes supervisord's configuration into the home folder and runs supervisord inside this
process, in front, or in a process of its own. A file lock says that it runs: the system
releases it whatever kills the process, so there is no stale one. Each program ends itself when
the supervisor is gone (`tasks.machine.lifeline`); the next `up` waits for that.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from deployments.services import control
from deployments.services.programs import (
    HAND_OVER,
    config_file,
    ensure_ports_free,
    is_ours,
    pid_file,
    write_config,
)
from thirdshift.errors import PrefectUnavailable, ThirdShiftError
from thirdshift.settings import settings

Progress = Callable[[str], None]

PROBE = 0.3  # seconds; whoever only looks whether we run holds the lock for an instant


def up(programs: Iterable[str], foreground: bool) -> None:
    """Start `programs` and keep them up; in front until TERM, Ctrl-C or `down()`.

    Raises PortTaken before anything starts, ThirdShiftError when it already runs.
    """
    names = list(programs)
    _refuse_second()
    if not foreground:
        ensure_ports_free(names)
        return _detach(names)
    with _lock():
        ensure_ports_free(names)
        pid_file().unlink(missing_ok=True)  # a killed one's
        _supervise(write_config(names))


def down(timeout: float = 75) -> None:
    """Stop everything, children first; return when all of it is gone."""
    _within(5, lambda: _pid() is not None or not running())  # it may have begun just now
    pid = _pid()
    if not running() or pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not _within(timeout, lambda: not running()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # its programs notice, and end themselves
        _within(HAND_OVER, lambda: not running())


def status() -> list[control.ProcessState]:
    """Return the supervised processes; empty when the supervisor is down."""
    return control.states() if running() else []


def running() -> bool:
    """Tell whether a supervisor of this home runs."""
    try:
        with FileLock(_lock_file(), timeout=PROBE):
            return False
    except Timeout:
        return True


def wait_ready(timeout: float, progress: Progress = lambda _: None) -> None:
    """Wait until Prefect answers and the runner has registered its deployments.

    `progress` hears each new step in words. Raises PrefectUnavailable after `timeout` seconds,
    or as soon as the supervisor has gone.
    """
    deadline = time.monotonic() + timeout
    last = ""
    while time.monotonic() < deadline:
        step, ready = _step()
        if step != last:
            last = step
            progress(step)
        if ready:
            return
        if not running():
            raise PrefectUnavailable("The supervisor has ended.", _see_logs())
        time.sleep(0.2)
    raise PrefectUnavailable(f"Not ready after {timeout:.0f} seconds: {last}", _see_logs())


def _refuse_second() -> None:
    if not running():
        return
    if not is_ours(config_file()):
        raise ThirdShiftError(
            f"Third Shift is up with other code (process {_pid()}), and cannot restart what ends.",
            "Run `thirdshift down`, then `thirdshift up`.",
        )
    raise ThirdShiftError(
        f"Third Shift is already up (process {_pid()}).", "See `thirdshift status`."
    )


def _detach(names: list[str]) -> None:
    command = [sys.executable, "-P", "-m", "deployments.services.supervise", *names]
    settings().logs_path.mkdir(parents=True, exist_ok=True)
    with (settings().logs_path / "supervisor.out").open("w") as out:
        process = subprocess.Popen(
            command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    if not _within(60, lambda: process.poll() is not None or bool(status())):
        raise ThirdShiftError("The supervisor does not start.", _see_logs())
    if process.returncode is not None:
        lines = (settings().logs_path / "supervisor.out").read_text().strip().splitlines()
        raise ThirdShiftError(f"The supervisor ended: {lines[-1] if lines else '?'}", _see_logs())


@contextmanager
def _lock() -> Iterator[None]:
    try:
        with FileLock(_lock_file(), timeout=PROBE):
            yield
    except Timeout:
        _refuse_second()


def _supervise(config: Path) -> None:
    from supervisor.options import ServerOptions
    from supervisor.supervisord import go

    options = ServerOptions()
    options.first, options.test = True, False  # what supervisord's own main sets
    options.cleanup_fds = lambda: None  # it would close our lock
    os.chdir(settings().home)  # the configuration's paths are relative
    options.realize(["-n", "-c", str(config.relative_to(settings().home))])
    go(options)


def _step() -> tuple[str, bool]:
    import json

    import httpx

    from deployments.runner.serve import ready_file

    try:
        url = f"{settings().prefect_url}/api/health"
        httpx.get(url, timeout=2, trust_env=False).raise_for_status()
    except httpx.HTTPError:
        return "Prefect starts …", False
    pid = next((state.pid for state in status() if state.name == "runner"), None)
    try:
        report = json.loads(ready_file().read_text())
    except (OSError, ValueError):
        return "Prefect answers; the runner registers its deployments …", False
    if pid is None or report["pid"] != pid:
        return "Prefect answers; the runner starts …", False
    line = f"The runner serves {report['deployments']} deployments."
    return " ".join([line, *report["broken"]]), True


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _pid() -> int | None:
    try:
        return int(pid_file().read_text())
    except (OSError, ValueError):
        return None


def _lock_file() -> Path:
    settings().run_path.mkdir(parents=True, exist_ok=True)
    return settings().run_path / "supervisor.lock"


def _see_logs() -> str:
    return f"See {settings().logs_path}."


if __name__ == "__main__":
    try:
        up(sys.argv[1:], foreground=True)
    except ThirdShiftError as error:
        sys.exit(str(error))
