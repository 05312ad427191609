"""Drafts decided on by Prefect's own form: what it posts resumes the run, which carries it out."""

from collections.abc import Callable, Iterator
from typing import Any

import feedparser
import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun

from tasks.feedback import examples
from tasks.memory.store import store
from tasks.newsroom import drafts, passages, publishing
from tests.deployments.conftest import Shift, ended, until
from thirdshift.errors import ThirdShiftError
from thirdshift.newsroom import Draft, Topic
from thirdshift.records import now
from thirdshift.settings import settings

pytestmark = pytest.mark.long

EDITED = "雨の前に: beans cost **nine** yen, no more. [1]\n\nSo <b>buy</b> & [store]."


class Writer(Shift):
    """A runner that writes drafts."""

    serves = ("serve_writing",)


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory, prefect_port: int) -> Iterator[Writer]:
    keys = {"RUNNER__STANDBYS": 2, "MODELS__RUNTIME": "embedded"}
    shift = Writer(tmp_path_factory.mktemp("writer"), prefect_port, **keys)
    yield shift
    shift.stop()


class Waiting:
    """A draft whose run is suspended, and the form that Prefect shows of it."""

    def __init__(self, client: SyncPrefectClient, url: str, topic: str) -> None:
        deployment = client.read_deployment_by_name("write-draft/write-draft")
        self.run: FlowRun = client.create_flow_run_from_deployment(
            deployment.id, parameters={"topic": topic, "kind": "post"}
        )
        self._client, self._url = client, f"{url}/api/flow_runs/{self.run.id}"
        until(self.waits)
        (self.draft,) = (draft for draft in drafts.listed() if draft.topic == topic)

    def waits(self) -> bool:
        state = self._client.read_flow_run(self.run.id).state
        return state is not None and state.is_paused()

    def shown(self, part: str) -> Any:
        """Return the description or the schema of the form."""
        keys = self._client.read_flow_run(self.run.id).state.state_details.run_input_keyset  # type: ignore[union-attr]
        answer = httpx.get(f"{self._url}/input/{keys[part]}", trust_env=False)  # type: ignore[index]
        return answer.raise_for_status().json()

    def post(self, **given: Any) -> tuple[str, str]:
        """Post the form; return whether the server took it, and else why not."""
        answer = httpx.post(f"{self._url}/resume", json={"run_input": given}, trust_env=False)
        said = answer.raise_for_status().json()
        return said["status"], said["details"].get("reason") or ""

    def end(self) -> str:
        return ended(self._client, self.run)

    def decided(self) -> Draft:
        return drafts.get(self.draft.id)


@pytest.fixture
def secretless(shift: Writer) -> Iterator[None]:
    """Let the settings name an address that no keychain has."""
    file = shift.home / "settings.toml"
    file.write_text('[notify]\nurls = ["keychain:absent"]\n')
    yield
    file.unlink()


@pytest.fixture
def waiting(
    shift: Writer,
    client: SyncPrefectClient,
    prefect: str,
    override: Callable[..., None],
    request: pytest.FixtureRequest,
) -> Waiting:
    """Let a draft be written of a topic that no other test has."""
    override(HOME=shift.home)
    name = request.node.name
    text = f"{name}: beans cost 9 yen a kilogram. Growers expect a small harvest in Huila."
    found = passages.keep(
        [passages.Article(url=f"https://x.example/{name}", title=name, text=text)]
    )
    topic = Topic(id=name, title=name, language="en", passages=[one.id for one in found], visits=[])
    row = {"id": name, "title": name, "topic": topic.model_dump_json(), "researched_at": now()}
    store().upsert("topics", [row])
    return Waiting(client, prefect, name)


def feed() -> list[str]:
    read = feedparser.parse((settings().published_path / "feed.atom").read_bytes())
    return [entry.title for entry in read.entries]


def taught(draft: Draft) -> list[Any]:
    """Return the examples and preferences that a draft's edit gave."""
    rows = [*examples.taught("examples"), *examples.taught("preferences")]
    return [row for row in rows if getattr(row, "prompt", "").endswith(draft.title)]


def test_the_form_shows_the_draft_and_offers_three_verdicts(waiting: Waiting) -> None:
    assert waiting.draft.text in waiting.shown("description")
    assert waiting.shown("schema")["properties"]["verdict"]["enum"] == [
        "approve",
        "edit",
        "reject",
    ]


def test_an_edit_is_published_as_it_was_typed_and_becomes_an_example(waiting: Waiting) -> None:
    assert waiting.post(verdict="edit", text=EDITED, note="shorter")[0] == "ACCEPT"
    assert waiting.end() == "Done"

    decided = waiting.decided()
    assert (decided.status, decided.note, decided.published) == ("approved", "shorter", EDITED)
    assert EDITED in publishing.file_of(decided).read_text()
    assert decided.title in feed()
    example, preference = taught(decided)
    assert (example.origin, example.completion) == ("edit", EDITED)
    assert (preference.chosen, preference.rejected) == (EDITED, waiting.draft.text)
    assert example.chunk_ids == [passage.id for passage in decided.cited] != []


def test_an_edit_of_the_file_is_published_where_the_form_has_no_text(waiting: Waiting) -> None:
    file = drafts.file_of(waiting.draft)
    file.write_text(file.read_text().replace(waiting.draft.text, EDITED))

    waiting.post(verdict="edit", text="", note="")

    assert waiting.end() == "Done"
    assert waiting.decided().published == EDITED
    assert [row.origin for row in taught(waiting.draft)] == ["edit", "edit"]


def test_what_is_rejected_is_kept_with_its_note_and_teaches_and_publishes_nothing(
    waiting: Waiting,
) -> None:
    assert waiting.post(verdict="reject", text=EDITED, note="dull")[0] == "ACCEPT"
    assert waiting.end() == "Skipped"

    decided = waiting.decided()
    assert (decided.status, decided.note, decided.published) == ("rejected", "dull", "")
    assert not list(settings().published_path.glob(f"*{decided.id}*"))
    assert taught(decided) == []


def test_a_verdict_that_is_none_of_the_three_is_refused_and_the_run_waits(
    waiting: Waiting,
) -> None:
    verdicts: list[Any] = ["publish", "Approve", "", None, ["approve"]]
    wrong = [{"verdict": verdict} for verdict in verdicts]

    for given in [*wrong, {"verdict": "edit", "text": 3}, {"text": EDITED}, {}]:
        status, why = waiting.post(**given)
        assert (status, bool(why)) == ("REJECT", True), given
        assert waiting.waits(), given
    assert waiting.decided() == waiting.draft

    assert waiting.post(verdict="approve")[0] == "ACCEPT"  # it can still be decided on
    assert waiting.end() == "Done"
    assert waiting.decided().published == waiting.draft.text


def test_a_draft_waits_though_its_owner_cannot_be_told(secretless: None, waiting: Waiting) -> None:
    assert waiting.decided().status == "pending"
    assert waiting.post(verdict="approve")[0] == "ACCEPT"
    assert waiting.end() == "Done"


def test_the_first_decision_holds(waiting: Waiting) -> None:
    from deployments.review import decide
    from thirdshift.newsroom import Review

    waiting.post(verdict="reject")
    waiting.end()

    assert waiting.post(verdict="approve")[0] == "ABORT"
    with pytest.raises(ThirdShiftError, match="rejected already"):
        decide(waiting.draft.id, Review())
    assert waiting.decided().status == "rejected"
