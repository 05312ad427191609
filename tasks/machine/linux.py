"""Sensors of a Linux machine, read from sysfs, procfs, logind and X11; none needs root but RAPL."""

import ctypes
import re
import time
from collections.abc import Iterable
from pathlib import Path

from tasks.machine.probes import Absent, Counter, Measurement, Run, output_of

_TRIPS = {"passive": "fair", "active": "fair", "hot": "serious", "critical": "critical"}
LEVELS = ("nominal", "fair", "serious", "critical")
# Cooling devices that slow a processor down; fans are none.
_THROTTLES = re.compile(r"Processor|cpufreq|intel_powerclamp|thermal-cpu", re.IGNORECASE)
_TERMINALS = ("dev/pts/[0-9]*", "dev/tty[0-9]*", "dev/ttyS*")


class Linux:
    """A Linux machine whose files lie below `root`; `run` runs its commands."""

    def __init__(self, root: Path = Path("/"), run: Run = output_of) -> None:
        self._root = root
        self._run = run

    def idle(self) -> Measurement:
        """Return seconds since the last input: of X11, else by logind, else on a terminal."""
        reasons = []
        ways = (self._x11_idle, self._logind_idle, self._terminal_idle)
        for way in ways:
            try:
                return way()
            except Absent as absent:
                reasons.append(str(absent))
        raise Absent(" ".join(reasons))

    def power(self) -> Measurement:
        """Return `ac` where any supply from outside is online, else `battery`."""
        mains = [_text(supply / "online") for supply in self._supplies("Mains", "USB")]
        batteries = [_text(supply / "status") for supply in self._supplies("Battery")]
        source = "/sys/class/power_supply"
        if "1" in mains:
            return Measurement("ac", "", source)
        if mains or "Discharging" in batteries:
            return Measurement("battery", "", source)
        if batteries:
            return Measurement("ac", "", source)
        raise Absent(f"{source} lists neither mains nor battery.")

    def battery(self) -> Measurement:
        """Return the charge in percent; the emptiest battery counts."""
        charges = [_number(supply / "capacity") for supply in self._supplies("Battery")]
        known = [charge for charge in charges if charge is not None]
        if not known:
            raise Absent("/sys/class/power_supply lists no battery.")
        return Measurement(min(known), "%", "/sys/class/power_supply")

    def thermal(self) -> Measurement:
        """Return the worst of: a zone above its trip point, a processor the kernel throttles."""
        levels = [level for zone in self._zones() for level in _zone_levels(zone)]
        if not levels:
            raise Absent("No zone of /sys/class/thermal names a temperature and its limits.")
        if self._throttled():
            levels.append("serious")
        return Measurement(max(levels, key=LEVELS.index), "", "/sys/class/thermal")

    def pressure(self) -> Measurement:
        """Return the share of the last 10 s in which something waited for memory."""
        text = _text(self._root / "proc/pressure/memory") or ""
        stalled = re.search(r"some avg10=([\d.]+)", text)
        if not stalled:
            raise Absent("This kernel has no /proc/pressure/memory.")
        return Measurement(float(stalled[1]), "% of 10 s stalled", "/proc/pressure/memory")

    def counters(self) -> tuple[list[Counter], str]:
        """Return RAPL's packages and memory; `psys` and the parts of a package count twice."""
        zones = sorted((self._root / "sys/class/powercap").glob("intel-rapl:*"))
        counted = [zone for zone in zones if re.match("package|dram", _text(zone / "name") or "")]
        if not counted:
            raise Absent("There is no /sys/class/powercap/intel-rapl: this machine has no meter.")
        return [_counter(zone) for zone in counted], "RAPL (/sys/class/powercap)"

    def _x11_idle(self) -> Measurement:
        milliseconds = _screensaver_idle()
        return Measurement(milliseconds / 1e3, "s", "X11 screen saver extension")

    def _logind_idle(self) -> Measurement:
        text = self._run("loginctl", "show-session", "-p", "IdleHint", "-p", "IdleSinceHint")
        hints = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        since = int(hints.get("IdleSinceHint") or 0)
        if not since:
            raise Absent("logind knows of no session.")
        idle = time.time() - since / 1e6 if hints.get("IdleHint") == "yes" else 0.0
        return Measurement(round(max(idle, 0.0), 1), "s", "logind IdleHint")

    def _terminal_idle(self) -> Measurement:
        # The access time is the last input, as `who -u` has it; output moves the other times.
        times = [path.stat().st_atime for name in _TERMINALS for path in self._root.glob(name)]
        if not times:
            raise Absent("There is no terminal.")
        last = max(*times, _booted(self._root))  # a terminal nobody used has the image's time
        idle = round(max(time.time() - last, 0.0), 1)
        return Measurement(idle, "s", "last input on /dev/pts and /dev/tty")

    def _supplies(self, *kinds: str) -> Iterable[Path]:
        for supply in sorted((self._root / "sys/class/power_supply").glob("*")):
            a_device = _text(supply / "scope") == "Device"  # a mouse, a headset
            if _text(supply / "type") in kinds and not a_device:
                yield supply

    def _zones(self) -> Iterable[Path]:
        return sorted((self._root / "sys/class/thermal").glob("thermal_zone*"))

    def _throttled(self) -> bool:
        devices = (self._root / "sys/class/thermal").glob("cooling_device*")
        states = (
            _number(device / "cur_state")
            for device in devices
            if _THROTTLES.search(_text(device / "type") or "")
        )
        return any(state is not None and state > 0 for state in states)


def _zone_levels(zone: Path) -> Iterable[str]:
    heat = _number(zone / "temp")
    for kind in zone.glob("trip_point_*_type"):
        limit = _number(kind.with_name(kind.name.replace("_type", "_temp")))
        level = _TRIPS.get(_text(kind) or "")
        if heat is not None and limit is not None and limit > 0 and level:
            yield level if heat >= limit else "nominal"


def _counter(zone: Path) -> Counter:
    try:
        microjoules = int((zone / "energy_uj").read_text())
    except PermissionError:
        what = f"Only root may read {zone / 'energy_uj'}; a udev rule can change that."
        raise Absent(what) from None
    except (OSError, ValueError) as error:
        raise Absent(f"{zone / 'energy_uj'} cannot be read: {error}.") from error
    wraps_at = _number(zone / "max_energy_range_uj")
    return Counter(zone.name, microjoules / 1e6, wraps_at / 1e6 if wraps_at else None)


def _booted(root: Path) -> float:
    """Return when the machine was started, as a timestamp; 0 where it does not say."""
    line = re.search(r"^btime (\d+)", _text(root / "proc/stat") or "", re.MULTILINE)
    return float(line[1]) if line else 0.0


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None


def _screensaver_idle() -> int:
    """Return milliseconds since the last input of the X11 display in the environment.

    XScreenSaverInfo (X11/extensions/scrnsaver.h) has `idle` after a window, two ints and one
    unsigned long; XScreenSaverAllocInfo makes it.
    """
    try:
        x, xss = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXss.so.1")
    except OSError:
        raise Absent("The X11 libraries are not installed.") from None
    x.XOpenDisplay.restype = x.XDefaultRootWindow.restype = ctypes.c_void_p
    xss.XScreenSaverAllocInfo.restype = ctypes.POINTER(_ScreenSaverInfo)
    display = x.XOpenDisplay(None)
    if not display:
        raise Absent("No X11 display answers.")
    try:
        info = xss.XScreenSaverAllocInfo()
        root = ctypes.c_void_p(x.XDefaultRootWindow(ctypes.c_void_p(display)))
        if not xss.XScreenSaverQueryInfo(ctypes.c_void_p(display), root, info):
            raise Absent("The X11 display has no screen saver extension.")
        return int(info.contents.idle)
    finally:
        x.XCloseDisplay(ctypes.c_void_p(display))


class _ScreenSaverInfo(ctypes.Structure):
    _fields_ = (
        ("window", ctypes.c_ulong),
        ("state", ctypes.c_int),
        ("kind", ctypes.c_int),
        ("til_or_since", ctypes.c_ulong),
        ("idle", ctypes.c_ulong),
        ("event_mask", ctypes.c_ulong),
    )
