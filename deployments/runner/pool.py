"""Process pool: standbys that wait for a run, made one at a time, never older than the code."""

import asyncio
import json
import logging
import socket
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOMS = ("thirdshift", "tasks", "agents", "flows", "deployments")
CALM = 1.5  # seconds after a start before the next standby is made
HAND_OVER = 5.0  # seconds a standby has to take its run

log = logging.getLogger("prefect.runner.pool")


class Standby:
    """A waiting process, the channel to it, and the state of the code it imported."""

    def __init__(
        self, process: asyncio.subprocess.Process, channel: socket.socket, code: int
    ) -> None:
        self.process = process
        self.code = code
        self._channel = channel

    @classmethod
    async def start(cls, entrypoints: Iterable[str], code: int) -> "Standby":
        """Start a standby and wait until it is ready; raises OSError when it never is."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        command = (sys.executable, "-P", "-m", "deployments.runner.standby", *entrypoints)
        with theirs:
            process = await asyncio.create_subprocess_exec(*command, stdin=theirs.fileno())
        standby = cls(process, ours, code)
        try:
            ready = await standby._hears(b"ready\n")
        except asyncio.CancelledError:  # the runner stops
            process.kill()
            raise
        if not ready:
            await standby.dismiss()
            raise OSError(f"A standby ended while it started ({process.returncode}).")
        return standby

    async def take(self, order: dict[str, Any]) -> bool:
        """Hand a run over; False, and no process left, when the standby did not take it."""
        try:
            line = json.dumps(order).encode() + b"\n"
            await asyncio.get_running_loop().sock_sendall(self._channel, line)
            taken = await asyncio.wait_for(self._hears(b"taken\n"), HAND_OVER)
        except (OSError, TimeoutError):
            taken = False
        if not taken:
            await self.dismiss()
        self._channel.close()
        return taken

    async def dismiss(self) -> None:
        """End the process and wait until it is gone."""
        self._channel.close()
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def _hears(self, word: bytes) -> bool:
        heard = b""
        loop = asyncio.get_running_loop()
        while heard != word:
            try:
                more = await loop.sock_recv(self._channel, len(word) - len(heard))
            except OSError:
                return False
            if not more:
                return False
            heard += more
        return True


class Pool:
    """The standbys: kept at `size`, made one at a time, never older than the code on disk."""

    def __init__(self, size: int, entrypoints: Callable[[], Iterable[str]]) -> None:
        self.size = size
        self.idle: list[Standby] = []
        self._entrypoints = entrypoints
        self._last_start = 0.0

    def take(self) -> Standby | None:
        """Return a live standby with the present code, or None."""
        self._last_start = time.monotonic()
        self._sort_out()
        return self.idle.pop(0) if self.idle else None

    async def keep_full(self) -> None:
        """Replace what was taken, died or grew stale, for ever."""
        try:
            while True:
                self._sort_out()
                calm = time.monotonic() - self._last_start > CALM
                if calm and len(self.idle) < self.size:
                    await self._add()
                else:
                    await asyncio.sleep(0.5)
        finally:
            self._dismiss(self.idle)

    async def _add(self) -> None:
        try:
            names = list(self._entrypoints())
            self.idle.append(await Standby.start(names, code_on_disk(names)))
        except OSError as error:
            log.warning("%s Runs start the slow way until one is ready.", error)
            await asyncio.sleep(10)

    def _sort_out(self) -> None:
        code = code_on_disk(self._entrypoints())
        alive = [standby for standby in self.idle if standby.process.returncode is None]
        fit = [standby for standby in alive if standby.code == code]
        self._dismiss([standby for standby in self.idle if standby not in fit])
        self.idle = fit

    def _dismiss(self, standbys: Iterable[Standby]) -> None:
        for standby in standbys:
            if standby.process.returncode is None:
                standby.process.kill()


def code_on_disk(entrypoints: Iterable[str]) -> int:
    """Return a number that changes when a source file of ours is written, added or removed."""
    folders = {_folder(name) for name in (*ROOMS, *entrypoints)}
    files = [file for folder in sorted(folders) for file in folder.glob("**/*.py")]
    return hash(tuple((str(file), _written(file)) for file in files))


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:  # an editor renames its files into place
        return 0


def _folder(name: str) -> Path:
    spec = find_spec(name.partition(".")[0])
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    return Path(spec.origin).parent
