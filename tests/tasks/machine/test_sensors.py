"""Sensors tell what the system says, with its source, or why they cannot; they invent nothing."""

import os
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.machine.linux import Linux
from tasks.machine.macos import Mac
from tasks.machine.probes import Absent, Counter, output_of
from tasks.machine.sensors import SENSORS, sense

MACOS = yaml.safe_load((Path(__file__).parents[2] / "samples/sensors/macos.yaml").read_text())


def mac(*names: str) -> Mac:
    """Return a Mac that answers with these samples and knows no other command."""
    known = {MACOS[name]["command"]: MACOS[name]["text"] for name in names}

    def say(*command: str) -> str:
        if " ".join(command) not in known:
            raise Absent(f"There is no command {command[0]}.")
        return str(known[" ".join(command)])

    return Mac(say)


def silent(*_: str) -> str:
    raise Absent("There is no command.")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def written(root: Path, /, **files: str | int) -> None:
    """Write files; `__` in a name is a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def supply(root: Path, folder: str, /, **files: str | int) -> None:
    written(root / "sys/class/power_supply" / folder, **files)


def zone(root: Path, folder: str, /, **files: str | int) -> None:
    written(root / "sys/class/powercap" / folder, **files)


def heat(root: Path, /, **files: str | int) -> None:
    written(root / "sys/class/thermal/thermal_zone0", **files)


def test_every_sensor_of_this_machine_has_a_source_or_a_reason() -> None:
    senses = sense()

    assert set(senses) == set(SENSORS)
    for sensed in senses.values():
        assert bool(sensed.source) == (sensed.value is not None)
        assert bool(sensed.why) == (sensed.value is None)


def test_a_mac_says_how_long_it_was_not_touched() -> None:
    assert mac("ioreg").idle() == (725.0, "s", "ioreg HIDIdleTime")
    with pytest.raises(Absent, match="HIDIdleTime"):
        mac("no_screen").idle()


@pytest.mark.parametrize(
    ("sample", "power", "charge"), [("on_ac", "ac", 83), ("on_battery", "battery", 78)]
)
def test_a_mac_says_what_it_runs_on(sample: str, power: str, charge: float) -> None:
    assert mac(sample).power().value == power
    assert mac(sample).battery().value == charge


def test_a_mac_without_battery_says_so() -> None:
    assert mac("desktop").power().value == "ac"
    with pytest.raises(Absent, match="no battery"):
        mac("desktop").battery()


@pytest.mark.parametrize(
    ("samples", "level"),
    [
        (["cool"], "nominal"),
        (["hot"], "serious"),
        (["no_level", "throttled"], "serious"),
    ],
)
def test_a_mac_says_how_hot_it_is(samples: list[str], level: str) -> None:
    assert mac(*samples).thermal().value == level


def test_a_mac_that_does_not_know_its_heat_says_so() -> None:
    with pytest.raises(Absent, match="Neither notifyutil nor pmset"):
        mac("no_level", "not_throttled").thermal()


def test_a_mac_gives_the_kernels_word_on_memory() -> None:
    assert mac("memory_warning").pressure().value == "warning"


def test_a_mac_counts_what_its_chip_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library does not install elsewhere; its names are those of its documentation."""

    class Monitor:
        def get_cumulative_energy(self) -> Any:
            parts = {"cpu_total_mj": 2500, "gpu_mj": 1000, "dram_mj": None, "ane_mj": 0}
            return types.SimpleNamespace(**parts)

    module = types.SimpleNamespace(AppleEnergyMonitor=Monitor)
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", module)

    counters, source = mac().counters()

    assert counters == [
        Counter("cpu_total_mj", 2.5),
        Counter("gpu_mj", 1.0),
        Counter("ane_mj", 0.0),
    ]
    assert "IOReport" in source


def test_a_missing_command_is_a_reason() -> None:
    with pytest.raises(Absent, match="no command no-such-command"):
        output_of("no-such-command")
    with pytest.raises(Absent, match="false: exit 1"):
        output_of("false")


@pytest.mark.parametrize(
    ("supplies", "power"),
    [
        ({"AC": {"type": "Mains", "online": 1}}, "ac"),
        ({"AC": {"type": "Mains", "online": 0}}, "battery"),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, "battery"),
        ({"BAT0": {"type": "Battery", "status": "Full"}}, "ac"),
        ({"AC": {"type": "Mains", "online": 0}, "ucsi": {"type": "USB", "online": 1}}, "ac"),
    ],
)
def test_linux_says_what_it_runs_on(
    root: Path, supplies: dict[str, dict[str, Any]], power: str
) -> None:
    for name, files in supplies.items():
        supply(root, name, **files)

    assert Linux(root).power().value == power


def test_the_battery_of_a_mouse_is_not_the_machines(root: Path) -> None:
    supply(root, "hidpp", type="Battery", scope="Device", capacity=5, status="Discharging")

    for probe in (Linux(root).power, Linux(root).battery):
        with pytest.raises(Absent):
            probe()


def test_the_emptiest_battery_counts(root: Path) -> None:
    supply(root, "BAT0", type="Battery", capacity=90)
    supply(root, "BAT1", type="Battery", capacity=40)

    assert Linux(root).battery().value == 40


@pytest.mark.parametrize(
    ("temp", "level"), [(50_000, "nominal"), (90_000, "fair"), (106_000, "critical")]
)
def test_a_zone_above_its_trip_point_is_hot(root: Path, temp: int, level: str) -> None:
    heat(root, temp=temp, trip_point_0_type="passive", trip_point_0_temp=85_000)
    heat(root, trip_point_1_type="critical", trip_point_1_temp=105_000)

    assert Linux(root).thermal().value == level


def test_a_processor_the_kernel_throttles_is_hot(root: Path) -> None:
    heat(root, temp=50_000, trip_point_0_type="passive", trip_point_0_temp=85_000)
    written(root, sys__class__thermal__cooling_device0__type="Processor")
    written(root, sys__class__thermal__cooling_device0__cur_state=3)
    written(root, sys__class__thermal__cooling_device1__type="Fan")
    written(root, sys__class__thermal__cooling_device1__cur_state=1)

    assert Linux(root).thermal().value == "serious"


def test_a_temperature_without_a_limit_is_no_judgement(root: Path) -> None:
    heat(root, temp=60_000)

    with pytest.raises(Absent, match="limits"):
        Linux(root).thermal()


def test_packages_and_memory_are_counted_once(root: Path) -> None:
    zone(root, "intel-rapl:0", name="package-0", energy_uj=5_000_000, max_energy_range_uj=2**18)
    zone(root, "intel-rapl:0:0", name="core", energy_uj=3_000_000)
    zone(root, "intel-rapl:0:1", name="dram", energy_uj=1_000_000)
    zone(root, "intel-rapl:1", name="psys", energy_uj=9_000_000)

    counters, _ = Linux(root).counters()

    assert [counter.joules for counter in counters] == [5.0, 1.0]
    assert counters[0].wraps_at == 2**18 / 1e6


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_counter_for_root_only_says_so(root: Path) -> None:
    zone(root, "intel-rapl:0", name="package-0", energy_uj=1)
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").chmod(0)

    with pytest.raises(Absent, match="Only root"):
        Linux(root).counters()


def test_pressure_is_the_share_of_time_stalled(root: Path) -> None:
    written(root, proc__pressure__memory="some avg10=12.50 avg60=3.00 avg300=1.00 total=42")

    assert Linux(root).pressure().value == 12.5


@pytest.mark.parametrize(("hint", "idle"), [("yes", 600), ("no", 0)])
def test_logind_says_since_when_nobody_is_there(root: Path, hint: str, idle: float) -> None:
    since = int((time.time() - 600) * 1e6)

    found = Linux(root, lambda *_: f"IdleHint={hint}\nIdleSinceHint={since}\n").idle()

    assert float(found.value) == pytest.approx(idle, abs=5)
    assert found.source in ("logind IdleHint", "X11 screen saver extension")


def test_without_logind_the_last_input_on_a_terminal_counts(root: Path) -> None:
    for number, age in enumerate((50, 400)):
        written(root / "dev/pts", **{str(number): ""})
        os.utime(root / "dev/pts" / str(number), (time.time() - age, time.time()))

    assert float(Linux(root, silent)._terminal_idle().value) == pytest.approx(50, abs=5)


def test_a_terminal_nobody_used_since_the_start_is_no_older_than_the_start(root: Path) -> None:
    written(root / "dev/pts", **{"0": ""})
    os.utime(root / "dev/pts/0", (0, 0))
    written(root, proc__stat=f"cpu 1\nbtime {int(time.time()) - 300}")

    assert float(Linux(root, silent)._terminal_idle().value) == pytest.approx(300, abs=5)


def test_without_anything_the_reasons_are_all_given(root: Path) -> None:
    with pytest.raises(Absent, match=r"X11.*command.*terminal"):
        Linux(root, silent).idle()


def test_a_probe_that_breaks_is_unavailable_and_says_how(root: Path) -> None:
    zone(root, "intel-rapl:0", name="package-0", energy_uj="rubbish")

    sensed = sense(["energy"], Linux(root))["energy"]

    assert sensed.value is None
    assert "rubbish" in sensed.why
