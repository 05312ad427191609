"""The sensors of this machine, each with its unit and source, or the reason why it is silent."""

import sys
from collections.abc import Callable, Iterable

import psutil

from tasks.machine.probes import Absent, Machine, Measurement
from thirdshift.records import Sensed

Probe = Callable[[], Measurement]

SENSORS = ("idle", "power", "battery", "thermal", "load", "memory", "pressure", "energy")


def machine() -> Machine:
    """Return the probes of this system."""
    if sys.platform == "darwin":
        from tasks.machine.macos import Mac

        return Mac()
    from tasks.machine.linux import Linux

    return Linux()


def sense(names: Iterable[str] = SENSORS, on: Machine | None = None) -> dict[str, Sensed]:
    """Read the named sensors, now; `on` another machine for a rehearsal."""
    probes = _probes(on or machine())
    return {name: _read(name, probes[name]) for name in names}


def _probes(on: Machine) -> dict[str, Probe]:
    return {
        "idle": on.idle,
        "power": on.power,
        "battery": on.battery,
        "thermal": on.thermal,
        "load": _load,
        "memory": _memory,
        "pressure": on.pressure,
        "energy": lambda: _energy(on),
    }


def _read(name: str, probe: Probe) -> Sensed:
    try:
        value, unit, source = probe()
    except Absent as absent:
        return Sensed(sensor=name, why=str(absent))
    except (OSError, ValueError) as error:  # a file that vanished, an output of a new shape
        return Sensed(sensor=name, why=f"It could not be read: {error!r}")
    return Sensed(sensor=name, value=value, unit=unit, source=source)


def _load() -> Measurement:
    cores = psutil.cpu_count() or 1
    return Measurement(round(psutil.getloadavg()[0] / cores, 3), "per core", "load average, 1 min")


def _memory() -> Measurement:
    memory = psutil.virtual_memory()
    return Measurement(round(100 * memory.available / memory.total, 1), "% available", "psutil")


def _energy(on: Machine) -> Measurement:
    counters, source = on.counters()
    joules = round(sum(counter.joules for counter in counters), 3)
    return Measurement(joules, "J, counted from no particular time", source)
