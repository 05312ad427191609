"""What the supervisor runs: the programs, their ports and supervisord's configuration."""

import configparser
import io
import secrets
import shlex
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from deployments.services.server import listen
from tasks.machine.disk import write_whole
from thirdshift.errors import PortTaken
from thirdshift.settings import settings

# program: (module, its port's setting, seconds it gets to end after TERM)
PROGRAMS = {
    "server": ("deployments.services.server", "prefect", 15),
    "engine": ("deployments.services.engine", "engine", 15),
    "runner": ("deployments.runner.serve", "", 45),
}
HAND_OVER = 15.0  # seconds the programs of a killed supervisor may take to end


def config_file() -> Path:
    """Return where supervisord's configuration is; it holds the control port's password."""
    return settings().run_path / "supervisor.conf"


def pid_file() -> Path:
    """Return where supervisord keeps its process id; left behind when it is killed."""
    return settings().run_path / "supervisor.pid"


def ensure_ports_free(programs: Iterable[str], patience: float = HAND_OVER) -> None:
    """Raise PortTaken, naming the port, its owner and the setting, if a port is not free.

    Waits up to `patience` seconds for programs of a killed supervisor to end.
    """
    for name in programs:
        key = PROGRAMS[name][1]
        if key:
            _ensure_free(getattr(settings().ports, key), f"ports.{key}", patience)


def _ensure_free(port: int, key: str, patience: float) -> None:
    deadline = time.monotonic() + (patience if pid_file().exists() else 0)  # left: it was killed
    while True:
        try:
            return listen(port, key).close()
        except PortTaken:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def write_config(names: Iterable[str]) -> Path:
    """Write the configuration for these programs and return its file."""
    for folder in (settings().run_path, settings().logs_path):
        folder.mkdir(parents=True, exist_ok=True)
    parser = configparser.RawConfigParser()
    with socket.socket() as probe:  # a loopback port: a socket's path may be too long for macOS
        probe.bind(("127.0.0.1", 0))
        port = f"127.0.0.1:{probe.getsockname()[1]}"
    parser["inet_http_server"] = {
        "port": port,
        "username": "thirdshift",
        "password": secrets.token_hex(16),
    }
    parser["supervisord"] = {
        "logfile": "logs/supervisor.log",
        "logfile_maxbytes": "5MB",
        "logfile_backups": "2",
        "pidfile": "run/supervisor.pid",
        "childlogdir": "logs",
        "silent": "true",
        "umask": "077",
    }
    factory = "supervisor.rpcinterface:make_main_rpcinterface"
    parser["rpcinterface:supervisor"] = {"supervisor.rpcinterface_factory": factory}
    for order, name in enumerate(names):
        parser[f"program:{name}"] = _program(name, order)
    text = io.StringIO()
    parser.write(text)
    write_whole(config_file(), text.getvalue(), mode=0o600)
    return config_file()


def is_ours(config: Path) -> bool:
    """Tell whether a configuration starts the programs as this code does; yesterday's may not."""
    parser = configparser.RawConfigParser()
    parser.read(config)
    sections = [name for name in parser.sections() if name.startswith("program:")]
    names = [section.removeprefix("program:") for section in sections]
    return all(
        name in PROGRAMS and parser[section]["command"] == _program(name, 0)["command"]
        for name, section in zip(names, sections, strict=True)
    )


def _program(name: str, order: int) -> dict[str, str]:
    module, _, seconds = PROGRAMS[name]
    # -P: a `tasks` folder where we were started must not pass for ours.
    command = shlex.join([sys.executable, "-P", "-m", module]).replace("%", "%%")
    return {
        "command": command,
        "directory": "run",
        "priority": str(order),
        "autorestart": "true",
        "startsecs": "10",
        "startretries": "1000000",  # each wait is a second longer than the last; never giving up
        "stopsignal": "TERM",
        "stopwaitsecs": str(seconds),
        # TERM goes to the program alone: the runner ends its runs in order. KILL goes to all.
        "stopasgroup": "false",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"logs/{name}.log",
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "3",
        "environment": 'PYTHONUNBUFFERED="1"',
    }
