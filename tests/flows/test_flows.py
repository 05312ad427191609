"""The flows, through a real Prefect server, with the real store and models."""

from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State

from flows.ingest import ingest
from flows.maintain_store import maintain_store
from flows.shift_report import shift_report
from tasks import memory
from tasks.memory.store import store
from tasks.models.protocol import ModelRuntime
from tasks.runs.outcomes import history
from thirdshift.outcome import Outcome
from thirdshift.records import now

pytestmark = pytest.mark.slow


async def _run(flow: object, **parameters: object) -> State[Outcome]:
    state = await flow(**parameters, return_state=True)  # type: ignore[operator]
    assert isinstance(state, State)
    return state


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "log.txt").write_text("The roaster was serviced in March.")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7")
    return folder


async def test_ingest_is_done_once_and_then_has_nothing_to_do(prefect: str, papers: Path) -> None:
    first = await _run(ingest, paths=[str(papers)])
    second = await _run(ingest, paths=[str(papers)])

    assert (first.name, second.name) == ("Done", "NothingToDo")
    assert "1 added, 1 rejected" in str(first.message) or "1 rejected, 1 added" in str(
        first.message
    )
    assert memory.recall("roaster", 1)[0].text == "The roaster was serviced in March."


async def test_ingest_lists_what_it_left_out_as_an_artifact(prefect: str, papers: Path) -> None:
    await _run(ingest, paths=[str(papers)])

    async with get_client() as client:
        artifacts = await client.read_artifacts()
    listed = [a for a in artifacts if a.key == "unread-files" and str(papers) in str(a.data)]
    assert len(listed) == 1


async def test_without_folders_ingest_says_which_setting_names_them(prefect: str) -> None:
    state = await _run(ingest)

    assert state.name == "NothingToDo"
    assert "ingest.paths" in str(state.message)


async def test_maintenance_keeps_what_is_there(prefect: str) -> None:
    assert (await _run(maintain_store)).name == "NothingToDo"
    memory.remember(["One.", "Two."])

    assert (await _run(maintain_store)).name == "Done"
    assert store().count("chunks") == 2


async def test_the_report_is_a_file_an_artifact_and_a_memory(
    prefect: str, engine: ModelRuntime, papers: Path
) -> None:
    began = now()
    await _run(ingest, paths=[str(papers)])

    state = await _run(shift_report, hours=1)

    assert state.name == "Done"
    (path,) = [
        Path(ran.outcome.produced[0]) for ran in history(began) if ran.flow == "shift_report"
    ]
    assert "ingest" in path.read_text()
    assert any(hit.provenance == "derived" for hit in memory.recall("What did the shift do?", 5))
    async with get_client() as client:
        artifacts = await client.read_artifacts()
    assert any(a.key == "shift-report" and "data:image/svg" in str(a.data) for a in artifacts)


async def test_an_error_of_ours_fails_the_run_with_its_remedy(
    prefect: str, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thirdshift.settings import settings

    memory.remember(["One."])
    monkeypatch.setenv("THIRDSHIFT_MIN_FREE_GB", "1000000")
    settings.cache_clear()

    with pytest.raises(Exception, match="min_free_gb"):
        await ingest(paths=[str(papers)])
