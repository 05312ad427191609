"""Probes: what sensors are made of; each measures and names its source, or says why not."""

import subprocess
from collections.abc import Callable
from typing import NamedTuple, Protocol

_PATIENCE = 5.0  # seconds a command may take


class Absent(Exception):
    """There is nothing to read; the message says why."""


class Measurement(NamedTuple):
    """A value, its unit ("" for a word) and where it was read."""

    value: float | str
    unit: str
    source: str


class Counter(NamedTuple):
    """Energy of one part of the machine so far; it starts again from 0 at `wraps_at`."""

    part: str
    joules: float
    wraps_at: float | None = None


Run = Callable[..., str]  # runs a command, returns what it prints


class Machine(Protocol):
    """What differs between the systems. Every probe raises Absent where it finds nothing."""

    def idle(self) -> Measurement:
        """Seconds since the owner last touched the machine."""
        ...

    def power(self) -> Measurement:
        """`ac` or `battery`."""
        ...

    def battery(self) -> Measurement:
        """Charge, in percent."""
        ...

    def thermal(self) -> Measurement:
        """How hot: nominal, fair, serious or critical."""
        ...

    def pressure(self) -> Measurement:
        """What the kernel says of memory being short, in its own terms."""
        ...

    def counters(self) -> tuple[list[Counter], str]:
        """Energy counters that add up to the machine, and their source."""
        ...


def output_of(*command: str) -> str:
    """Return what a command prints; raises Absent where it does not exist or fails."""
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except FileNotFoundError:
        raise Absent(f"There is no command {command[0]}.") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(f"{command[0]} does not answer: {error}.") from error
    if process.returncode:
        raise Absent(f"{command[0]}: {process.stderr.strip() or f'exit {process.returncode}'}")
    return process.stdout
