"""XML-RPC to supervisord: how each supervised process does."""

import configparser
import xmlrpc.client
from typing import Any

from deployments.services.programs import config_file
from thirdshift.records import Record
from thirdshift.settings import settings


class ProcessState(Record):
    """How one supervised process does. `restarts` counts since `up`."""

    name: str
    state: str  # supervisord's, in small letters: running, starting, backoff, stopped, …
    pid: int | None
    uptime: int  # seconds
    restarts: int | None = None


def states() -> list[ProcessState]:
    """Return the supervised processes; empty while supervisord starts or stops."""
    try:
        infos: Any = _control().supervisor.getAllProcessInfo()
    except (OSError, xmlrpc.client.Error, configparser.Error):
        return []
    return [_state(info) for info in infos]


def _control() -> Any:
    parser = configparser.RawConfigParser()
    parser.read(config_file())
    server = parser["inet_http_server"]
    credentials = f"{server['username']}:{server['password']}"
    return xmlrpc.client.ServerProxy(f"http://{credentials}@{server['port']}/RPC2")


def _state(info: dict[str, Any]) -> ProcessState:
    alive = info["pid"] > 0
    return ProcessState(
        name=info["name"],
        state=info["statename"].lower(),
        pid=info["pid"] or None,
        uptime=info["now"] - info["start"] if alive else 0,
        restarts=_restarts(info["name"]),
    )


def _restarts(name: str) -> int | None:
    try:
        text = (settings().logs_path / "supervisor.log").read_text(errors="replace")
    except OSError:
        return None
    _, began, since = text.rpartition("supervisord started with pid")
    return since.count(f"spawned: '{name}'") - 1 if began else None
