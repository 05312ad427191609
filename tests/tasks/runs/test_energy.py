"""The energy ledger: real counters, no joule invented, none counted twice."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.machine.linux import Linux
from tasks.runs.energy import (
    Meter,
    metering,
    night_spent,
    spent,
)
from thirdshift.outcome import Outcome, Ran

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
RANGE = 262_143_328_850  # microjoules, as a real max_energy_range_uj says


def made_up(folder: Path) -> Path:
    """Return the folder of a RAPL package of a made-up machine."""
    zone = folder / "root/sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text(f"{RANGE}\n")
    (zone / "energy_uj").write_text("1000000\n")
    return zone


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return made_up(tmp_path)


def counted(zone: Path, microjoules: int) -> None:
    (zone / "energy_uj").write_text(f"{microjoules % RANGE}\n")


def ran(start: float, seconds: float, joules: float | None) -> Ran:
    return Ran(
        id=f"{start}-{seconds}-{joules}",
        flow="ingest",
        run_name="ingest",
        started_at=START + timedelta(seconds=start),
        seconds=seconds,
        joules=joules,
        outcome=Outcome(status="skipped", reason="-"),
    )


def test_a_run_takes_what_the_counter_rose(tmp_path: Path, package: Path) -> None:
    with metering(Linux(tmp_path / "root")) as meter:
        counted(package, 6_500_000)

        assert meter.joules() == 5.5


@settings(deadline=None)
@given(st.lists(st.integers(0, RANGE - 1), min_size=2, max_size=8))
def test_a_counter_that_wraps_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, rises: list[int]
) -> None:
    zone = made_up(tmp_path_factory.mktemp("rapl"))
    meter = Meter(Linux(zone.parents[3]))
    for total in accumulate(rises):
        counted(zone, 1_000_000 + total)
        meter.joules()

    assert meter.joules() == pytest.approx(sum(rises) / 1e6)


def test_where_nothing_counts_nothing_is_said(tmp_path: Path) -> None:
    with metering(Linux(tmp_path)) as meter:
        assert meter.joules() is None


def test_a_meter_that_fails_meanwhile_says_nothing_rather_than_too_little(
    tmp_path: Path, package: Path
) -> None:
    meter = Meter(Linux(tmp_path / "root"))
    (package / "energy_uj").rename(package / "gone")

    assert meter.joules() is None
    (package / "gone").rename(package / "energy_uj")
    assert meter.joules() is None


def test_runs_that_overlap_do_not_count_a_joule_twice() -> None:
    apart = spent([ran(0, 100, 1000), ran(200, 100, 500)])
    together = spent([ran(0, 100, 1000), ran(0, 100, 1000), ran(25, 50, 500)])

    assert apart == 1500
    assert together == 1000


def test_a_run_that_was_not_metered_adds_nothing() -> None:
    assert spent([ran(0, 10, None)]) is None
    assert spent([ran(0, 10, None), ran(5, 10, 20)]) == 20


def test_a_night_without_a_meter_says_why(tmp_path: Path) -> None:
    night = night_spent(START, Linux(tmp_path))

    assert night.value is None
    assert "no meter" in night.why


def test_a_night_is_what_its_runs_took(tmp_path: Path, package: Path) -> None:
    from tasks.runs.ledger import keep

    for run in (ran(0, 10, 2000), ran(20, 10, 3000), ran(-86_400, 10, 9000)):
        keep(run)

    assert night_spent(START, Linux(tmp_path / "root")).value == pytest.approx(5)
