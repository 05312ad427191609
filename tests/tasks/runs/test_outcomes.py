"""The ledger keeps each run once, and gives the runs of a period."""

from datetime import UTC, datetime, timedelta

from tasks.runs.outcomes import history, keep
from thirdshift.outcome import Outcome, Ran

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _ran(name: str, at: datetime) -> Ran:
    outcome = Outcome(status="skipped", reason="電源につながっていません。")
    return Ran(id=name, flow="ingest", run_name=name, started_at=at, seconds=1, outcome=outcome)


def test_a_run_is_kept_once_and_comes_back_as_it_was() -> None:
    ran = _ran("a", NOON)
    keep(ran)
    keep(ran)

    assert history(NOON) == [ran]


def test_history_is_of_the_period_and_in_order() -> None:
    for hours in (3, 1, 2):
        keep(_ran(str(hours), NOON + timedelta(hours=hours)))

    found = history(NOON + timedelta(hours=2), NOON + timedelta(hours=3))

    assert [ran.run_name for ran in found] == ["2"]
    assert [ran.run_name for ran in history(NOON)] == ["1", "2", "3"]
