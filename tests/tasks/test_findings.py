"""What is found in made-up series whose truth is known."""

import json

import numpy as np
import pandas as pd

from tasks.findings import find_all, find_anomalies, find_shifts
from thirdshift.findings import Finding

HOURS = pd.date_range("2026-01-01", periods=24 * 40, freq="h")


def daily(seed: int = 0) -> pd.Series:
    noise = np.random.default_rng(seed).normal(size=len(HOURS))
    season = 10 * np.sin(2 * np.pi * np.arange(len(HOURS)) / 24)
    return pd.Series(100 + season + noise, HOURS, name="sales")


def test_a_spike_is_an_anomaly_with_its_label_and_direction() -> None:
    series = daily()
    series.iloc[500] -= 12
    worst = max(find_anomalies(series, unit="EUR"), key=lambda finding: finding.score)
    assert worst.start == worst.end == HOURS[500]
    assert worst.direction == "down"
    assert worst.value("observed") == series.iloc[500]
    assert abs(worst.value("deviation") + 12) < 4


def test_a_new_level_is_a_shift() -> None:
    series = daily()
    series.iloc[600:] += 8
    assert HOURS[600] in [finding.start for finding in find_shifts(series)]


def test_findings_are_plain_numbers_in_json() -> None:
    series = daily()
    frame = pd.DataFrame({"time": HOURS, "sales": series.to_numpy()})
    for finding in find_all(frame, "time", ["sales"], units={"sales": "EUR"}):
        again = json.loads(finding.model_dump_json())
        assert isinstance(again["start"], str | None)
        assert Finding(**again).kind == finding.kind
