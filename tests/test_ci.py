"""CI tells the truth: what fails, or does not end in time, is red."""

import os
import subprocess
from pathlib import Path
from shutil import copytree

import psutil
import pytest

from tests.floors import ROOT

REPORT = 'mkdir -p "$THIRDSHIFT_HOME/reports/a" && touch "$THIRDSHIFT_HOME/reports/a/report.html"'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy CI's scripts into a checkout whose `make` does as told by make.sh."""
    copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    make = tmp_path / "bin" / "make"
    make.write_text("#!/bin/sh\n. ./make.sh\n")
    make.chmod(0o755)
    return tmp_path


def run(checkout: Path, targets: str, minutes: float = 1) -> subprocess.CompletedProcess[str]:
    """Run CI where `make` runs these branches of a shell's case on its target."""
    (checkout / "make.sh").write_text(f"case $1 in {targets} esac\n")
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    variables = {"PATH": path, "OLLAMA_VERSION": "", "CI_MINUTES": str(minutes)}
    inherited = {name: text for name, text in os.environ.items() if name != "CI_BEGUN"}
    return subprocess.run(
        ["sh", str(checkout / ".ci" / "run")],
        env=inherited | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_passes_is_green(checkout: Path) -> None:
    ran = run(checkout, f"shift) {REPORT};; *) echo ran $1;;")

    assert ran.returncode == 0, ran.stderr
    assert "ran test" in ran.stdout and "ran long" in ran.stdout


@pytest.mark.parametrize("target", ["test", "shift", "long"])
def test_what_fails_is_red(checkout: Path, target: str) -> None:
    assert run(checkout, f"{target}) exit 3;; shift) {REPORT};;").returncode != 0


def test_a_shift_without_a_report_is_red(checkout: Path) -> None:
    assert run(checkout, 'shift) mkdir "$THIRDSHIFT_HOME/reports";;').returncode == 1


@pytest.mark.parametrize("target", ["test", "long"])
def test_what_does_not_end_in_time_is_red_and_leaves_nothing_running(
    checkout: Path, target: str
) -> None:
    hang = "sleep 600 & echo $! > pid; wait"
    ran = run(checkout, f"{target}) {hang};; shift) {REPORT};;", minutes=0.02)

    assert ran.returncode == 124
    assert "not done after 0.02 minutes" in ran.stderr
    assert not is_running(int((checkout / "pid").read_text()))


def is_running(pid: int) -> bool:
    """Tell whether a process lives; one that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
