"""One whole shift for real: server, runner, engine, memory, report; and what survives what."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from deployments.catalogue import catalogue
from deployments.shift import nightly, run_shift
from tasks import memory
from tasks.memory.ingestion import ingest
from tasks.memory.store import _open, store
from tasks.runs.outcomes import history
from tests.conftest import free_port
from thirdshift.records import now
from thirdshift.settings import settings


@pytest.mark.long
@pytest.mark.timeout(600)
def test_memory_survives_the_loss_of_prefects_database_and_the_other_way_round(
    home: Path, tmp_path: Path, override: Callable[..., None]
) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "log.txt").write_text("The roaster was serviced in March.")
    override(PORTS__PREFECT=free_port(), PORTS__ENGINE=free_port(), RUNNER__STANDBYS=2)
    out = Console(record=True, width=300)
    began = now()

    assert run_shift([papers], out) == 0
    assert "report.html" in out.export_text()

    shutil.rmtree(settings().prefect_path)
    assert run_shift([papers], out) == 0
    assert "ingest: NothingToDo" in out.export_text()
    assert memory.recall("roaster", 1)[0].text == "The roaster was serviced in March."
    told = Counter(run.flow.replace("_", "-") for run in history(began))
    once = Counter(entry.flow for entry in catalogue() if entry.name in nightly())
    assert {flow: told[flow] for flow in once} == {flow: 2 * times for flow, times in once.items()}
    assert {"research-topic", "write-draft"} <= set(told)

    shutil.rmtree(settings().store_path)
    _open.cache_clear()
    assert (settings().prefect_path / "prefect.db").exists()
    assert [reading.result for reading in ingest([papers])] == ["added"]
    assert store().count("documents") == 1


def test_the_shift_runs_what_is_scheduled_at_night_in_its_order() -> None:
    assert nightly() == [
        "ingest",
        "refine-memory",
        "analyse-shop-sales",
        "analyse-mauna-loa-co2",
        "train-lora",
        "train-dpo",
        "maintain-store",
        "monitor-sources",
        "shift-report",
    ]
