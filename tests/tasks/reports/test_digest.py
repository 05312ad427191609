"""What memory keeps of a shift."""

from datetime import UTC, datetime, timedelta

from tasks.memory.indexing import remember
from tasks.memory.retrieval import recall
from tasks.memory.store import store
from tasks.reports import digest
from tasks.reports import shift as report
from thirdshift.outcome import MemoryFigures, Outcome, OutcomeStatus, Ran, Shift

START = datetime(2026, 3, 1, 2, tzinfo=UTC)


def ran(flow: str, status: OutcomeStatus, reason: str) -> Ran:
    outcome = Outcome(status=status, reason=reason)
    return Ran(id=flow, flow=flow, run_name=flow, started_at=START, seconds=75, outcome=outcome)


def shift(*runs: Ran, lost: tuple[str, ...] = (), day: int = 0) -> Shift:
    until = START + timedelta(days=day, hours=5)
    memory = MemoryFigures(documents={}, chunks=0, megabytes=0)
    return Shift(
        since=until - timedelta(hours=24),
        until=until,
        runs=list(runs),
        lost=list(lost),
        memory=memory,
    )


def test_every_outcome_and_every_loss_is_a_sentence_in_both_languages() -> None:
    held = ran("train_lora", "deferred", "On battery.")

    text = digest.note(shift(held, lost=("ingest crashed: exit -9",)), report.latest()).text

    assert "train lora (training) did not run yet, it was deferred: On battery." in text
    assert "学習は延期され" in text
    assert "a run was lost: ingest crashed: exit -9" in text
    assert "nothing failed" not in text


def test_a_failure_is_never_called_nothing() -> None:
    text = digest.note(shift(ran("ingest", "failed", "Disk full.")), report.latest()).text

    assert "failed: Disk full." in text
    assert "nothing failed" not in text


def test_last_night_is_one_note_however_many_nights_there_were() -> None:
    for day in range(3):
        remember(
            [digest.note(shift(ran("ingest", "done", f"{day} added."), day=day), report.latest())]
        )

    assert store().count("documents", "status = 'active'") == 1
    assert "2 added." in recall("What did the night do?", 1)[0].text
