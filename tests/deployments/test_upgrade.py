"""Upgrades: the home that yesterday's code left behind comes up, and works, with today's.

samples/home-before-rooms.tar.xz is such a home, samples/home-before-rooms.sh says how it was made.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterExpectedStartTime
from prefect.client.schemas.objects import FlowRun
from prefect.flows import Flow

from tests.conftest import free_port
from tests.deployments.conftest import SAMPLES, until
from thirdshift.records import now
from thirdshift.settings import settings

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ARCHIVE = SAMPLES / "home-before-rooms.tar.xz"
COMMAND = Path(sys.executable).with_name("thirdshift")
ALL_TIME = "5200w"
PATIENCE = 500  # seconds; what was missed is caught up at the start

SETTINGS = {  # what the owner of the archive set
    "timezone": "Asia/Tokyo",
    "models.runtime": "embedded",
    "models.threads": 1,
    "store.keep_deleted_days": 3650,
    "ingest.paths": [Path("~/notes").expanduser()],
    "ingest.chunk_tokens": 96,
    "ports.prefect": 14200,
    "ports.engine": 14210,
    "runner.standbys": 1,
    "runner.keep_days": 3650,
    "learning.keep_turns_days": 3650,
    "monitor.stories_a_day": 2,
    "research.keep_days": 3650,
    "drafts.kind": "summary",
    "drafts.author": "Ada of the Old Rooms",
    "analyst.samples": False,
}
LEDGER = {  # what had run
    ("ingest", "done"): 1,
    ("refine_memory", "done"): 1,
    ("analyse_data", "done"): 1,
    ("analyse_data", "deferred"): 1,
    ("monitor_sources", "done"): 1,
    ("research_topic", "done"): 2,
    ("write_draft", "waiting"): 2,
    ("shift_report", "done"): 1,
}
QUESTION = "When was the roaster serviced?"
CORRECTION = "The roaster was serviced on 14 March, two days later than planned."
NOTE = "/srv/thirdshift/notes/roaster.md"
HARVEST, RAINY_SEASON = "80056273e8b2", "5073383ffb98"  # the drafts that wait


class Registered:
    """What Prefect's database had before today's code opened it."""

    def __init__(self, home: Path) -> None:
        with closing(sqlite3.connect(home / "prefect" / "prefect.db")) as database:
            deployments = database.execute("SELECT id, name, entrypoint FROM deployment")
            self.deployments = {UUID(identity): tuple(rest) for identity, *rest in deployments}
            automations = database.execute("SELECT id, name FROM automation")
            self.automations = {UUID(identity): name for identity, name in automations}


class Installation:
    """The old home, and today's command over it."""

    def __init__(self, owner: Path) -> None:
        self.owner, self.home = owner, owner / "home"
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(self.home, filter="data")
        self.before = Registered(self.home)
        self.port = free_port()
        foreign = ("THIRDSHIFT_", "PREFECT_")
        self._variables = {k: v for k, v in os.environ.items() if not k.startswith(foreign)} | {
            "HOME": str(owner),
            "THIRDSHIFT_HOME": str(self.home),
            "THIRDSHIFT_PORTS__PREFECT": str(self.port),
            "THIRDSHIFT_PORTS__ENGINE": str(free_port()),
        }

    def run(self, *words: str) -> str:
        """Return what a command prints; it must succeed."""
        command = [str(COMMAND), *words]
        ended = subprocess.run(
            command, cwd=self.owner, env=self._variables, capture_output=True, text=True
        )
        assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def client(self) -> SyncPrefectClient:
        return SyncPrefectClient(f"http://127.0.0.1:{self.port}/api")

    def draft(self, identity: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.json("drafts", "show", identity)
        return shown

    def state(self, run: str) -> str:
        """Return what Prefect calls the state of a run."""
        with self.client() as client:
            state = client.read_flow_run(UUID(run)).state
        assert state
        return str(state.name)

    def due(self) -> list[FlowRun]:
        """Return the runs whose time has come."""
        due = FlowRunFilterExpectedStartTime(before_=now())
        with self.client() as client:
            return client.read_flow_runs(flow_run_filter=FlowRunFilter(expected_start_time=due))

    def settled(self) -> bool:
        """Tell whether each of them has ended, or waits for its owner or its gate."""
        states = [run.state for run in self.due() if run.state]
        return all(
            state.is_final() or state.is_paused() or state.name == "Deferred" for state in states
        )

    def close(self) -> None:
        """Stop everything, whatever state it is in."""
        try:
            self.run("down")
        finally:
            for process in self._left():
                process.kill()

    def _left(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                if process.environ().get("THIRDSHIFT_HOME") == str(self.home):
                    yield process
            except psutil.Error:  # another user's, or gone
                continue


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Start today's code on the old home, whose owner has just opened the gate of an analysis."""
    upgraded = Installation(tmp_path_factory.mktemp("owner"))
    stock = upgraded.home / "analyses" / "stock.yaml"
    stock.write_text(stock.read_text().replace("gate: {memory_floor: 100}", "gate: {}"))
    try:
        upgraded.run("up", "-d")
        until(upgraded.settled, PATIENCE)
        yield upgraded
    finally:
        upgraded.close()


def test_the_settings_of_the_old_file_are_read(
    installation: Installation, override: Callable[..., None]
) -> None:
    override(HOME=installation.home)

    assert {key: attrgetter(key)(settings()) for key in SETTINGS} == SETTINGS


def test_doctor_finds_nothing_wrong(installation: Installation) -> None:
    states = {finding["part"]: finding["state"] for finding in installation.json("doctor")}

    assert [states[part] for part in ("settings", "store", "prefect")] == ["ok"] * 3
    assert "wrong" not in states.values()


def test_what_was_stored_is_found_and_a_correction_stands_before_what_it_corrects(
    installation: Installation,
) -> None:
    correction, note, *_ = installation.json("search", QUESTION)

    assert correction["text"] == f"{QUESTION}\n{CORRECTION}"
    assert note["document"] == NOTE
    assert installation.json("search", "焙煎機の点検")[0]["document"] == NOTE


def test_the_old_ledger_is_read(installation: Installation) -> None:
    rows = installation.json("history", "--since", ALL_TIME)
    status = installation.json("status")

    assert Counter(LEDGER) <= Counter((row["flow"], row["status"]) for row in rows)
    assert status["memory"]["documents"] >= 7
    assert {process["name"] for process in status["processes"]} == {"server", "engine", "runner"}


def test_what_was_taught_is_kept(installation: Installation) -> None:
    taught = installation.json("examples", "list")
    night, *_ = installation.json("refine", "list")

    assert [verdict["correction"] for verdict in taught["feedback"]] == [CORRECTION]
    assert (QUESTION, CORRECTION) in {
        (example["prompt"], example["completion"]) for example in taught["examples"]
    }
    assert [pair["chosen"] for pair in taught["preferences"]] == ["Good morning."]
    assert CORRECTION in {change["after"] for change in night["changes"]}


def test_deployments_keep_their_identity_and_entrypoint_and_none_is_doubled(
    installation: Installation,
) -> None:
    with installation.client() as client:
        deployments = client.read_deployments()
    today = {deployment.id: (deployment.name, deployment.entrypoint) for deployment in deployments}

    before = installation.before.deployments
    assert {identity: today.get(identity) for identity in before} == before
    assert len({name for name, _ in today.values()}) == len(today)
    assert all(len(deployment.schedules) <= 1 for deployment in deployments)
    assert all(isinstance(resolve_name(str(entrypoint)), Flow) for _, entrypoint in today.values())


def test_no_event_starts_two_runs(installation: Installation) -> None:
    with installation.client() as client:
        names = [automation.name for automation in client.read_automations()]

    assert len(names) == len(set(names))
    assert set(names) >= set(installation.before.automations.values())


def test_what_was_due_meanwhile_is_run_or_dropped_with_a_word(installation: Installation) -> None:
    before = installation.before.deployments
    dropped = {run.deployment_id for run in installation.due() if was_dropped(run)}
    names = {name for identity, (name, _) in before.items() if identity in dropped}
    rows = installation.json("history", "--since", ALL_TIME)
    skipped = {row["flow"].replace("_", "-") for row in rows if row["status"] == "skipped"}
    assert names <= skipped


def was_dropped(run: FlowRun) -> bool:
    return run.auto_scheduled and run.state is not None and run.state.name == "Skipped"


def test_a_run_that_was_put_off_comes_back_and_is_done(installation: Installation) -> None:
    def done() -> bool:
        rows = installation.json("history", "--since", ALL_TIME)
        return ("analyse stock", "done") in {(row["run"], row["status"]) for row in rows}

    assert until(done, PATIENCE)


def test_an_approved_draft_resumes_its_run_which_publishes_it(installation: Installation) -> None:
    draft = installation.draft(HARVEST)
    assert (draft["status"], installation.state(draft["run"])) == ("pending", "Suspended")

    installation.run("drafts", "approve", HARVEST, "--note", "as it is")

    until(lambda: installation.state(draft["run"]) == "Done", PATIENCE)
    decided = installation.draft(HARVEST)
    assert (decided["status"], decided["note"]) == ("approved", "as it is")
    (page,) = (installation.home / "published").glob(f"*{HARVEST}*.md")
    assert draft["text"] in page.read_text()
    assert draft["title"] in (installation.home / "published" / "feed.atom").read_text()


def test_the_deployments_of_before_work_on_what_they_find(installation: Installation) -> None:
    note = installation.owner / "notes" / "till.md"
    note.parent.mkdir()
    note.write_text("The key of the till hangs behind the grinder.")

    assert "Done. 1 added" in installation.run("run", "ingest")
    for name in ("refine-memory", "analyse-till", "maintain-store"):
        installation.run("run", name)

    hit, *_ = installation.json("search", "Where is the key of the till?")
    assert hit["document"] == str(note.resolve())


def test_a_draft_that_nobody_decided_on_goes_on_waiting(installation: Installation) -> None:
    draft = installation.draft(RAINY_SEASON)

    assert (draft["status"], installation.state(draft["run"])) == ("pending", "Suspended")
    assert list((installation.home / "drafts").glob(f"*{RAINY_SEASON}*"))
