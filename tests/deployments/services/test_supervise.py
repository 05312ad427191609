import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deployments.services import supervise
from deployments.services.programs import config_file, pid_file, write_config
from deployments.services.server import listen
from tests.conftest import free_port
from thirdshift.errors import PortTaken, PrefectUnavailable, ThirdShiftError
from thirdshift.settings import settings

BOTH = ["server", "runner"]


@pytest.fixture
def ours(home: Path, override: Callable[..., None]) -> Iterator[Path]:
    """Move home to a folder with a long and awkward name, with free ports of its own."""
    folder = home.with_name("100% of a home; with spaces ".ljust(150, "x"))
    override(HOME=folder, PORTS__PREFECT=free_port(), PORTS__ENGINE=free_port())
    override(RUNNER__STANDBYS=1)
    yield folder
    supervise.down()


def family() -> set[int]:
    """Return the processes of this home."""
    pids = set()
    for process in psutil.process_iter():
        try:
            if process.environ().get("THIRDSHIFT_HOME") == str(settings().home):
                pids.add(process.pid)
        except psutil.Error:
            continue
    return pids - {os.getpid()}


def roles() -> list[str]:
    """Return the modules that this home's processes run, but for the standbys that come and go."""
    modules = []
    for pid in family():
        with suppress(psutil.Error):
            modules.append(psutil.Process(pid).cmdline()[3])
    return [module for module in modules if module != "deployments.runner.standby"]


def pids() -> dict[str, int | None]:
    return {state.name: state.pid for state in supervise.status()}


def test_nothing_runs_before_up(ours: Path) -> None:
    assert not supervise.running()
    assert supervise.status() == []
    supervise.down()


def test_a_taken_port_is_told_before_anything_starts(ours: Path) -> None:
    with (
        listen(settings().ports.prefect, "ports.prefect"),
        pytest.raises(PortTaken, match=r"ports\.prefect"),
    ):
        supervise.up(BOTH, foreground=False)

    assert not supervise.running()
    assert not config_file().exists()


def test_the_control_port_is_closed_to_other_users(ours: Path) -> None:
    file = write_config(BOTH)

    assert file.stat().st_mode & 0o777 == 0o600
    assert "127.0.0.1:" in file.read_text()


def test_waiting_without_a_supervisor_says_so(ours: Path) -> None:
    with pytest.raises(PrefectUnavailable, match="ended"):
        supervise.wait_ready(5)


def test_a_supervisor_of_other_code_is_told_apart_and_what_to_do(ours: Path) -> None:
    with supervise._lock():
        text = write_config(BOTH).read_text()
        with pytest.raises(ThirdShiftError, match="already up"):
            supervise.up(BOTH, foreground=False)

        config_file().write_text(text.replace("deployments.services.server", "deployments.server"))
        with pytest.raises(ThirdShiftError, match=r"other code.*thirdshift down"):
            supervise.up(BOTH, foreground=False)


@pytest.mark.long
def test_everything_comes_up_once_and_goes_down_whole(ours: Path) -> None:
    said: list[str] = []

    supervise.up(BOTH, foreground=False)
    supervise.wait_ready(120, said.append)

    assert set(pids()) == {"server", "runner"}
    assert "Prefect starts …" in said and "serves" in said[-1]
    with pytest.raises(ThirdShiftError, match="already up"):
        supervise.up(BOTH, foreground=False)
    supervise.down()
    assert not supervise.running()
    assert not psutil.wait_procs([psutil.Process(pid) for pid in family()], timeout=5)[1]


@pytest.mark.long
def test_a_killed_program_comes_back(ours: Path) -> None:
    supervise.up(BOTH, foreground=False)
    supervise.wait_ready(120)
    first = pids()["runner"]
    assert first

    os.kill(first, signal.SIGKILL)
    while pids().get("runner") in (first, None):
        pass
    supervise.wait_ready(120)

    (runner,) = [state for state in supervise.status() if state.name == "runner"]
    assert runner.restarts == 1


@pytest.mark.long
def test_a_killed_supervisor_leaves_no_orphans_and_up_works_again(ours: Path) -> None:
    supervise.up(BOTH, foreground=False)
    supervise.wait_ready(120)
    before = family()

    os.kill(int(pid_file().read_text()), signal.SIGKILL)
    while supervise.running():
        pass
    supervise.up(BOTH, foreground=False)
    supervise.wait_ready(120)

    old = [psutil.Process(pid) for pid in before & family()]
    assert not psutil.wait_procs(old, timeout=30)[1]
    assert len(roles()) == len(set(roles())), roles()


@pytest.mark.long
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_in_front_it_ends_cleanly_by_a_signal(ours: Path, tmp_path: Path, sign: int) -> None:
    command = [sys.executable, "-P", "-m", "deployments.services.supervise", *BOTH]
    (tmp_path / "tasks").mkdir()  # a folder of this name must not pass for ours
    (tmp_path / "tasks" / "__init__.py").touch()
    front = subprocess.Popen(command, cwd=tmp_path)
    while not supervise.running():
        assert front.poll() is None
    supervise.wait_ready(120)

    front.send_signal(sign)

    assert front.wait(60) == 0
    assert family() == set()


@pytest.mark.long
def test_an_unclean_end_leaves_no_lock_behind(ours: Path) -> None:
    settings().run_path.mkdir(parents=True)
    (settings().run_path / "supervisor.lock").touch()
    pid_file().write_text("1")

    supervise.up(["server"], foreground=False)

    assert supervise.running()


def test_the_port_probe_leaves_the_port_free(ours: Path) -> None:
    supervise.ensure_ports_free(["server", "engine"])

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", settings().ports.prefect))
        assert probe.getsockname() == ("127.0.0.1", settings().ports.prefect)
