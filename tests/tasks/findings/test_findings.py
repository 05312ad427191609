"""What is found in made-up series whose truth is known."""

import json
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.findings import (
    find_anomalies,
    find_correlations,
    find_quality,
    find_seasonality,
    find_shifts,
    find_trend,
)
from tests.tasks.findings.made_series import (
    Made,
    anomalous,
    autoregressive,
    noise,
    shifted,
)
from thirdshift.findings import Finding

HOURS = pd.date_range("2026-01-01", periods=24 * 40, freq="h")


def daily(seed: int = 0) -> pd.Series:
    chance = np.random.default_rng(seed).normal(size=len(HOURS))
    season = 10 * np.sin(2 * np.pi * np.arange(len(HOURS)) / 24)
    return pd.Series(100 + season + chance, HOURS, name="sales")


def positions(series: pd.Series, findings: list[Finding]) -> set[int]:
    spans = [(series.index.get_loc(f.start), series.index.get_loc(f.end)) for f in findings]
    return {at for first, last in spans for at in range(first, last + 1)}


@pytest.mark.slow
def test_planted_anomalies_are_found_and_little_else() -> None:
    hits = wrong = missed = 0
    for seed in range(160):
        made: Made = anomalous(seed)
        found = positions(made.series, find_anomalies(made.series))
        hits += len(found & set(made.at))
        wrong += len(found - set(made.at))
        missed += len(set(made.at) - found)
    assert 2 * hits / (2 * hits + wrong + missed) >= 0.90, (hits, wrong, missed)


@pytest.mark.slow
def test_planted_shifts_are_found_within_two_steps_and_little_else() -> None:
    planted = near = wrong = 0
    for seed in range(96):
        made = shifted(seed)
        found = [made.series.index.get_loc(f.start) for f in find_shifts(made.series)]
        planted += len(made.at)
        near += sum(any(abs(place - at) <= 2 for place in found) for at in made.at)
        wrong += sum(all(abs(place - at) > 2 for at in made.at) for place in found)
    assert near / planted >= 0.95, (near, planted)
    assert wrong / planted <= 0.05, (wrong, planted)


@pytest.mark.slow
@pytest.mark.parametrize("find", [find_anomalies, find_shifts])
def test_in_noise_next_to_nothing_is_found(find: Callable[[pd.Series], list[Finding]]) -> None:
    kinds = [noise(seed) for seed in range(108)]
    fooled = [made.kind for made in kinds if find(made.series)]
    assert len(fooled) / len(kinds) <= 0.05, fooled


def test_a_spike_is_an_anomaly_with_its_label_and_direction() -> None:
    series = daily()
    series.iloc[500] -= 12
    (found,) = find_anomalies(series, unit="EUR")
    assert found.start == found.end == HOURS[500]
    assert found.direction == "down"
    assert found.value("observed") == pytest.approx(series.iloc[500])
    assert found.value("deviation") == pytest.approx(-12, abs=4)
    assert found.values[0].unit == "EUR"


def test_a_fall_in_twelve_weeks_of_days_is_found() -> None:
    rng = np.random.default_rng(3)
    days = pd.date_range("2024-01-01", periods=84)
    week = np.tile([0.0, 0.5, 0.5, 0.0, 2.0, 4.0, 3.0], 12)
    found, others = 0, 0
    for _ in range(40):
        at = int(rng.integers(7, 77))
        values = week + rng.normal(size=84)
        values[at] -= rng.uniform(8, 10)
        starts = [one.start for one in find_anomalies(pd.Series(values, days))]
        found += days[at] in starts
        others += len(set(starts) - {days[at]})
    assert found >= 24, found
    assert others <= 2, others


def test_a_value_that_is_usual_at_another_hour_is_an_anomaly() -> None:
    series = daily()
    series.iloc[24 * 20 + 18] = 110
    assert [found.start for found in find_anomalies(series)] == [HOURS[24 * 20 + 18]]


def test_a_spike_of_the_quiet_night_is_an_anomaly_though_days_are_louder() -> None:
    rng = np.random.default_rng(3)
    hours = pd.date_range("2026-01-01", periods=24 * 60, freq="h")
    loud = np.where((hours.hour >= 7) & (hours.hour < 22), 1.0, 0.15)
    values = 20 + 3 * np.sin(2 * np.pi * hours.hour / 24) + loud * rng.normal(size=hours.size)
    series = pd.Series(values, hours)
    series.iloc[24 * 30 + 3] += 2.5

    assert positions(series, find_anomalies(series)) == {24 * 30 + 3}


def test_noughts_and_ones_have_no_level_that_shifts_and_raise_nothing() -> None:
    rng = np.random.default_rng(5)
    ones = np.concatenate([rng.random(300) < 0.05, rng.random(300) < 0.45]).astype(float)

    assert find_shifts(pd.Series(ones, pd.date_range("2000-01-01", periods=600, freq="D"))) == []


def test_what_comes_every_night_is_no_anomaly_though_it_comes_early_or_late() -> None:
    quarters = pd.date_range("2026-01-01", periods=30 * 96, freq="15min")
    rng = np.random.default_rng(5)
    series = pd.Series(rng.normal(100, 1, quarters.size), quarters)
    for day in range(30):
        series.iloc[96 * day + 12 + int(rng.integers(0, 5))] += 40
    at_noon = 96 * 20 + 48
    series.iloc[at_noon] += 40  # of the same size, at another time

    assert [found.start for found in find_anomalies(series)] == [quarters[at_noon]]


def test_a_kind_of_event_that_comes_often_is_no_anomaly_and_another_is() -> None:
    rng = np.random.default_rng(6)
    series = pd.Series(rng.normal(100, 1, 3000))
    for at in rng.choice(2900, 30, replace=False):
        series.iloc[at] = 150 + rng.normal()
    series.iloc[2950] = 60.0

    assert [found.start for found in find_anomalies(series)] == [2950]


def test_a_quiet_afternoon_is_one_anomaly() -> None:
    series = daily()
    series.iloc[24 * 20 : 24 * 20 + 6] -= 9
    (found,) = find_anomalies(series)
    assert HOURS[24 * 20] <= found.start <= found.end <= HOURS[24 * 20 + 5]
    assert found.direction == "down"


def test_a_new_level_is_one_shift_and_no_anomaly() -> None:
    series = daily()
    series.iloc[600:] += 8
    (found,) = find_shifts(series)
    assert abs(series.index.get_loc(found.start) - 600) <= 2
    assert found.end == HOURS[-1]
    assert found.direction == "up"
    assert found.value("change") == pytest.approx(8, abs=1)
    assert not find_anomalies(series)


def test_a_larger_surprise_has_a_higher_score() -> None:
    series = daily()
    series.iloc[[300, 500, 700]] += [8, 16, 32]
    scores = {found.start: found.score for found in find_anomalies(series)}
    assert scores[HOURS[300]] < scores[HOURS[500]] < scores[HOURS[700]]


@pytest.mark.slow
@pytest.mark.parametrize("memory", [0.0, 0.7])
def test_noise_that_remembers_itself_is_seldom_a_trend(memory: float) -> None:
    series = [
        pd.Series(autoregressive(np.random.default_rng(seed), 200, memory)) for seed in range(100)
    ]
    assert sum(bool(find_trend(one)) for one in series) <= 8


def test_the_trend_has_its_slope_within_the_interval() -> None:
    (found,) = find_trend(daily() + 0.02 * np.arange(len(HOURS)), unit="EUR")
    assert found.direction == "up"
    assert found.interval is not None
    assert found.interval[0] < 0.02 < found.interval[1]
    assert found.value("slope_per_day") == pytest.approx(24 * found.value("slope"))


def test_hour_of_day_and_day_of_week_are_two_seasons() -> None:
    series = daily() + 6.0 * (HOURS.day_of_week >= 5)
    assert {found.value("period") for found in find_seasonality(series)} == {24, 168}


def test_gaps_missing_values_and_disorder_do_not_matter() -> None:
    series = daily()
    series.iloc[500] += 15
    series.iloc[[10, 11, 490]] = np.nan
    holed = series.drop(HOURS[200:215]).sample(frac=1, random_state=1)
    assert [found.start for found in find_anomalies(holed)] == [HOURS[500]]


@pytest.mark.parametrize(
    "values",
    [[], [1.0], [1.0, 2.0], [3.0] * 50, [np.nan] * 20, [1e308, -1e308] * 20, [0.0] * 99 + [1.0]],
)
def test_odd_series_raise_nothing(values: list[float]) -> None:
    series = pd.Series(values, dtype=float)
    for find in (find_anomalies, find_shifts, find_trend, find_seasonality):
        assert all(isinstance(found, Finding) for found in find(series))


def test_the_only_move_of_a_flat_line_is_an_anomaly() -> None:
    series = pd.Series([5.0] * 100)
    series[40] = 6.0
    assert [found.start for found in find_anomalies(series)] == [40]


numbers = st.one_of(st.floats(-1e6, 1e6, width=32), st.just(np.nan))


@settings(max_examples=60, deadline=None)
@example(np.array([1.0] * 4 + [0.0] * 33))  # its autocovariance is singular
@given(arrays(np.float64, st.integers(0, 80), elements=numbers))
def test_whatever_the_numbers_nothing_is_raised(values: np.ndarray) -> None:
    series = pd.Series(values)
    for find in (find_anomalies, find_shifts, find_trend, find_seasonality):
        assert all(np.isfinite(found.score) for found in find(series))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 400), st.integers(-20, 20))
def test_units_do_not_change_what_is_found(seed: int, exponent: int) -> None:
    series = anomalous(8 * (seed // 8)).series  # no logarithm, so that a zero may be anywhere
    other = series * 2.0**exponent
    assert [f.start for f in find_anomalies(series)] == [f.start for f in find_anomalies(other)]
    assert [f.start for f in find_shifts(series)] == [f.start for f in find_shifts(other)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 400))
def test_the_other_sign_turns_the_direction(seed: int) -> None:
    series = anomalous(8 * (seed // 8)).series
    turned = {"up": "down", "down": "up", "none": "none"}
    for find in (find_anomalies, find_shifts):
        there, back = find(series), find(-series)
        assert [f.start for f in there] == [f.start for f in back]
        assert [turned[f.direction] for f in there] == [f.direction for f in back]


@pytest.mark.slow
def test_twenty_thousand_points_take_seconds_of_one_core() -> None:
    n = 20_000
    rng = np.random.default_rng(1)
    t = np.arange(n)
    values = 10 * np.sin(2 * np.pi * t / 288) + 3 * (t // 288 % 7 >= 5) + rng.normal(size=n)
    series = pd.Series(values, pd.date_range("2026-01-01", periods=n, freq="5min"))
    series.iloc[7000] += 12
    begin = time.process_time()
    assert [series.index.get_loc(found.start) for found in find_anomalies(series)] == [7000]
    find_shifts(series)
    assert time.process_time() - begin < 60  # a bound against quadratic work, not a benchmark


def test_series_that_only_drift_are_not_called_related() -> None:
    rng = np.random.default_rng(3)
    related = 0
    for _ in range(40):
        walks = pd.DataFrame(np.cumsum(rng.normal(size=(300, 2)), axis=0), columns=["a", "b"])
        related += any((f.p_value or 0) < 0.01 for f in find_correlations(walks))
    assert related <= 4


def test_what_moves_together_is_related() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=200)
    frame = pd.DataFrame({"x": x, "y": -2 * x + rng.normal(size=200)})
    (found,) = find_correlations(frame)
    assert found.direction == "down"
    assert found.p_value is not None
    assert found.p_value < 1e-6


def test_findings_are_plain_numbers_in_json() -> None:
    series = daily()
    series.iloc[500] += 30
    frame = pd.DataFrame({"time": HOURS, "sales": series.to_numpy()})
    sales = frame.set_index("time")["sales"]
    findings = [*find_anomalies(sales, "EUR"), *find_seasonality(sales, "EUR")]
    findings += find_quality(frame, "time")
    assert {"anomaly", "seasonality"} <= {finding.kind for finding in findings}
    for finding in findings:
        again = json.loads(finding.model_dump_json())
        assert isinstance(again["start"], str | None)
        assert Finding(**again).kind == finding.kind
