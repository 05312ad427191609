"""Sensors of a Mac, read from its own commands and from IOReport; none needs root."""

import re
from typing import Any

from tasks.machine.probes import (
    Absent,
    Counter,
    Found,
    Say,
    said,
)

_PRESSURE = "com.apple.system.thermalpressurelevel"
# OSThermalNotification.h has five levels; Foundation's thermalState has these four names.
_THERMAL = {0: "nominal", 1: "fair", 2: "serious", 3: "critical", 4: "critical"}
_MEMORY = {1: "normal", 2: "warning", 4: "critical"}  # as dispatch/source.h numbers them
_PARTS = ("cpu_total_mj", "gpu_mj", "dram_mj", "ane_mj")


class Mac:
    """A Mac, asked through `say`, a function that runs a command."""

    def __init__(self, say: Say = said) -> None:
        self._say = say
        self._monitor: Any = None  # its counters are only comparable with each other

    def idle(self) -> Found:
        """Return seconds since keyboard, mouse or trackpad were touched."""
        text = self._say("ioreg", "-c", "IOHIDSystem", "-d", "4")
        times = [int(found) for found in re.findall(r'"HIDIdleTime" = (\d+)', text)]
        if not times:
            raise Absent("ioreg shows no HIDIdleTime: no keyboard or screen is attached.")
        return Found(min(times) / 1e9, "s", "ioreg HIDIdleTime")

    def power(self) -> Found:
        """Return `ac`, or `battery` (a UPS is one)."""
        found = re.search(r"drawing from '(\w+) Power'", self._say("pmset", "-g", "batt"))
        if not found:
            raise Absent("pmset -g batt names no power source.")
        return Found("ac" if found[1] == "AC" else "battery", "", "pmset -g batt")

    def battery(self) -> Found:
        """Return the charge in percent."""
        found = re.search(r"(\d+)%;", self._say("pmset", "-g", "batt"))
        if not found:
            raise Absent("pmset -g batt lists no battery.")
        return Found(float(found[1]), "%", "pmset -g batt")

    def thermal(self) -> Found:
        """Return thermald's pressure; where it says nothing, whether the CPU is held back."""
        found = re.search(rf"{_PRESSURE} (\d+)", self._say("notifyutil", "-g", _PRESSURE))
        if found and int(found[1]) in _THERMAL:
            return Found(_THERMAL[int(found[1])], "", f"notifyutil {_PRESSURE}")
        limit = re.search(r"CPU_Speed_Limit\s*= (\d+)", self._say("pmset", "-g", "therm"))
        if not limit:
            raise Absent("Neither notifyutil nor pmset -g therm knows the thermal state.")
        return Found("nominal" if limit[1] == "100" else "serious", "", "pmset -g therm")

    def pressure(self) -> Found:
        """Return normal, warning or critical."""
        level = self._say("sysctl", "-n", "kern.memorystatus_vm_pressure_level").strip()
        if not level.isdigit() or int(level) not in _MEMORY:
            raise Absent(f"The kernel's memory pressure level is {level or 'empty'}.")
        source = "sysctl kern.memorystatus_vm_pressure_level"
        return Found(_MEMORY[int(level)], "", source)

    def counters(self) -> tuple[list[Counter], str]:
        """Return joules of CPU, GPU, memory and Neural Engine: those this chip counts."""
        try:
            from zeus_apple_silicon import AppleEnergyMonitor
        except ImportError:
            raise Absent("zeus-apple-silicon is not installed.") from None
        try:
            self._monitor = self._monitor or AppleEnergyMonitor()
            metrics = self._monitor.get_cumulative_energy()
        except RuntimeError as error:  # IOReport refuses, e.g. in a virtual machine
            raise Absent(f"IOReport gives no energy: {error}.") from error
        parts = {name: getattr(metrics, name) for name in _PARTS}
        counted = [Counter(name, mj / 1e3) for name, mj in parts.items() if mj is not None]
        if not counted:
            raise Absent("IOReport counts no energy on this machine.")
        return counted, "IOReport (zeus-apple-silicon)"
