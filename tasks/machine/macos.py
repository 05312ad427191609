"""Sensors of a Mac, read from its own commands and from IOReport; none needs root."""

import re
from typing import Any

from tasks.machine.probes import Absent, Counter, Measurement, Run, output_of

_PRESSURE = "com.apple.system.thermalpressurelevel"
# OSThermalNotification.h has five levels; Foundation's thermalState has these four names.
_THERMAL = {0: "nominal", 1: "fair", 2: "serious", 3: "critical", 4: "critical"}
_MEMORY = {1: "normal", 2: "warning", 4: "critical"}  # as dispatch/source.h numbers them
_PARTS = ("cpu_total_mj", "gpu_mj", "dram_mj", "ane_mj")


class Mac:
    """A Mac, asked through `run`, which runs a command."""

    def __init__(self, run: Run = output_of) -> None:
        self._run = run
        self._monitor: Any = None  # its counters are only comparable with each other

    def idle(self) -> Measurement:
        """Return seconds since keyboard, mouse or trackpad were touched."""
        text = self._run("ioreg", "-c", "IOHIDSystem", "-d", "4")
        times = [int(time) for time in re.findall(r'"HIDIdleTime" = (\d+)', text)]
        if not times:
            raise Absent("ioreg shows no HIDIdleTime: no keyboard or screen is attached.")
        return Measurement(min(times) / 1e9, "s", "ioreg HIDIdleTime")

    def power(self) -> Measurement:
        """Return `ac`, or `battery` (a UPS is one)."""
        source = re.search(r"drawing from '(\w+) Power'", self._run("pmset", "-g", "batt"))
        if not source:
            raise Absent("pmset -g batt names no power source.")
        return Measurement("ac" if source[1] == "AC" else "battery", "", "pmset -g batt")

    def battery(self) -> Measurement:
        """Return the charge in percent."""
        charge = re.search(r"(\d+)%;", self._run("pmset", "-g", "batt"))
        if not charge:
            raise Absent("pmset -g batt lists no battery.")
        return Measurement(float(charge[1]), "%", "pmset -g batt")

    def thermal(self) -> Measurement:
        """Return thermald's pressure; where it says nothing, whether the CPU is held back."""
        level = re.search(rf"{_PRESSURE} (\d+)", self._run("notifyutil", "-g", _PRESSURE))
        if level and int(level[1]) in _THERMAL:
            return Measurement(_THERMAL[int(level[1])], "", f"notifyutil {_PRESSURE}")
        limit = re.search(r"CPU_Speed_Limit\s*= (\d+)", self._run("pmset", "-g", "therm"))
        if not limit:
            raise Absent("Neither notifyutil nor pmset -g therm knows the thermal state.")
        return Measurement("nominal" if limit[1] == "100" else "serious", "", "pmset -g therm")

    def pressure(self) -> Measurement:
        """Return normal, warning or critical."""
        level = self._run("sysctl", "-n", "kern.memorystatus_vm_pressure_level").strip()
        if not level.isdigit() or int(level) not in _MEMORY:
            raise Absent(f"The kernel's memory pressure level is {level or 'empty'}.")
        source = "sysctl kern.memorystatus_vm_pressure_level"
        return Measurement(_MEMORY[int(level)], "", source)

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
