"""Who moved a measure, and by how much."""

import numpy as np
import pandas as pd
import pytest

from tasks.findings import find_anomalies, find_movers
from tasks.findings.movers import explain_anomaly

SHOPS = {"Teramachi": 500.0, "Kamogawa": 200.0, "online": 100.0}


def sales(days: int = 84) -> pd.DataFrame:
    """Return daily sales of three shops, half as much on Sundays."""
    random = np.random.default_rng(0)
    dates = pd.date_range("2026-01-05", periods=days)
    rows = [
        (day, shop, level * (0.5 if day.day_of_week == 6 else 1) + random.normal(0, level / 200))
        for day in dates
        for shop, level in SHOPS.items()
    ]
    return pd.DataFrame(rows, columns=["day", "shop", "sales"])


def test_a_mover_tells_its_change_and_its_part_of_the_whole() -> None:
    frame = sales()
    march = frame["day"] >= "2026-03-02"
    frame.loc[march & (frame["shop"] == "online"), "sales"] *= 2

    first, *others = find_movers(
        frame,
        "day",
        "sales",
        "shop",
        before=(pd.Timestamp("2026-02-02"), pd.Timestamp("2026-03-01")),
        after=(pd.Timestamp("2026-03-02"), pd.Timestamp("2026-03-29")),
    )

    told = {value.name: value.value for value in first.values}
    assert first.direction == "up"
    assert told["change"] == pytest.approx(told["after"] - told["before"])
    assert told["change_percent"] == pytest.approx(100, rel=0.1)
    assert abs(told["contribution_percent"]) > 80
    assert all(abs(one.score) < first.score for one in others)


@pytest.mark.parametrize("day", ["2026-03-16", "2026-03-15"])  # a Monday, and a quiet Sunday
def test_the_member_that_fell_carries_the_anomaly_whatever_the_weekday(day: str) -> None:
    frame = sales()
    frame.loc[(frame["day"] == day) & (frame["shop"] == "Kamogawa"), "sales"] = 0.0
    whole = frame.groupby("day")["sales"].sum()
    (anomaly,) = [one for one in find_anomalies(whole) if str(one.start).startswith(day)]

    carrier, *_ = explain_anomaly(frame, anomaly, "day", "sales", ["shop"])

    assert "Kamogawa" in carrier.model_dump_json()
    assert carrier.direction == "down"
