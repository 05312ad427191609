import gc
import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from deployments.environment import apply, environment
from deployments.services import server
from deployments.services.server import collect_apart, hurried, listen
from thirdshift.errors import PortTaken
from thirdshift.settings import settings


def ask(code: str) -> str:
    """Run code in a process with Prefect's environment applied."""
    program = f"from deployments.environment import apply; apply(); {code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_the_classic_pages_are_served_and_know_the_api(prefect: str) -> None:
    told = httpx.get(f"{prefect}/ui-settings").json()

    assert told["default_ui"] == "v1"
    assert told["api_url"] == f"{prefect}/api"


def test_nothing_is_reported_to_prefect(prefect: str) -> None:
    told = httpx.get(f"{prefect}/api/admin/settings").json()["server"]

    assert not told["analytics_enabled"]
    assert not told["ui"]["show_promotional_content"]
    assert environment(settings())["DO_NOT_TRACK"] == "1"


def test_pages_may_only_load_from_the_server_itself(prefect: str) -> None:
    policy = httpx.get(prefect).headers["content-security-policy"]

    hosts = [word.split("://")[1] for word in policy.split() if "://" in word]
    assert {host.split(":")[0] for host in hosts} == {"127.0.0.1", "localhost"}


def test_lists_of_integrations_come_out_of_the_package(prefect: str) -> None:
    answer = httpx.get(f"{prefect}/api/collections/views/aggregate-worker-metadata")

    assert "process" in answer.text


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}])
def test_other_web_pages_cannot_use_the_api(prefect: str, headers: dict[str, str]) -> None:
    assert httpx.post(f"{prefect}/api/flows/filter", headers=headers, json={}).status_code == 403


def test_other_web_pages_cannot_listen_to_events(prefect: str) -> None:
    address = f"{prefect.replace('http', 'ws')}/api/events/out"

    with pytest.raises(InvalidStatus), connect(address, origin="http://evil.example"):  # type: ignore[arg-type]
        pass


async def test_a_busy_database_asks_clients_back_at_once() -> None:
    sent = []

    async def busy(scope: object, receive: object, send: Callable[..., object]) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})  # type: ignore[misc]

    async def keep(message: dict[str, object]) -> None:
        sent.append(message)

    await hurried(busy)({"type": "http"}, None, keep)  # type: ignore[arg-type]

    assert sent[0]["headers"] == [(b"retry-after", b"0.05")]


def test_a_taken_port_names_the_port_and_the_setting() -> None:
    with listen(0, "ports.prefect") as first:
        port = first.getsockname()[1]

        with pytest.raises(PortTaken, match=f"{port} belongs to .*{os.getpid()}.*ports.prefect"):
            listen(port, "ports.prefect")


def test_finished_runs_are_kept_as_long_as_the_settings_say(
    override: Callable[..., None],
) -> None:
    override(RUNNER__KEEP_DAYS=3)

    told = ask(
        "from prefect.settings import get_current_settings as s; import json;"
        "v = s().server.services.db_vacuum; e = s().server.events.retention_period;"
        "print(json.dumps([sorted(v.enabled_vacuum_types), v.retention_period.days, e.days]))"
    )

    assert json.loads(told) == [["events", "flow_runs", "orphans"], 3, 3]


def test_prefect_keeps_its_files_in_our_home() -> None:
    told = ask("from prefect.settings import get_current_settings as s; print(s().home)")

    assert told == str(settings().prefect_path)


def test_settings_of_another_prefect_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment(settings()):
        monkeypatch.setenv(name, "of another")
    monkeypatch.setenv("PREFECT_API_KEY", "secret")

    apply()

    assert "PREFECT_API_KEY" not in os.environ
    assert os.environ["PREFECT_API_URL"] == f"{settings().prefect_url}/api"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_postgresql_is_spoken_to_in_its_asynchronous_driver(
    scheme: str, override: Callable[..., None]
) -> None:
    override(RUNNER__DATABASE_URL=f"{scheme}://me@host/db")

    url = environment(settings())["PREFECT_API_DATABASE_CONNECTION_URL"]

    assert url == "postgresql+asyncpg://me@host/db"


def test_a_home_with_odd_characters_is_not_misread(
    override: Callable[..., None],
) -> None:
    override(HOME="/tmp/100% of a%20 home")

    url = environment(settings())["PREFECT_API_DATABASE_CONNECTION_URL"]

    from sqlalchemy.engine import make_url

    assert make_url(url).database == "/tmp/100% of a%20 home/prefect/prefect.db"


def test_a_schedule_gets_its_coming_runs(prefect: str) -> None:
    # With SQLAlchemy 2.1 none was created, and only the server's log said so.
    def post(path: str, **body: object) -> Any:
        while (answer := httpx.post(f"{prefect}/api{path}", json=body)).status_code == 503:
            pass  # SQLite was busy; Prefect's clients come back too
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    flow = post("/flows/", name="scheduled")
    daily = {"schedule": {"cron": "0 2 * * *", "timezone": "Asia/Tokyo"}}
    made = post("/deployments/", name="daily", flow_id=flow["id"], schedules=[daily])

    post(f"/deployments/{made['id']}/schedule", min_runs=3)

    runs = post("/flow_runs/filter", deployments={"id": {"any_": [made["id"]]}})
    assert len(runs) >= 3
    assert all(run["expected_start_time"].endswith("T17:00:00Z") for run in runs)


def test_writes_that_come_at_once_are_all_taken(prefect: str) -> None:
    flow = httpx.post(f"{prefect}/api/flows/", json={"name": "crowd"}).json()["id"]

    def create(number: int) -> str:
        run = {"flow_id": flow, "state": {"type": "SCHEDULED"}}
        made = httpx.post(f"{prefect}/api/flow_runs/", json=run, timeout=60)
        state = {"state": {"type": "CANCELLED"}, "force": number % 2 == 0}
        path = f"{prefect}/api/flow_runs/{made.json()['id']}/set_state"
        return f"{made.status_code} {httpx.post(path, json=state, timeout=60).status_code}"

    with ThreadPoolExecutor(12) as crowd:
        answers = list(crowd.map(create, range(48)))

    assert set(answers) == {"201 201"}


def test_garbage_is_collected_in_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cycle:
        """Refers to itself, so that only the collector ends it."""

    monkeypatch.setattr(server, "COLLECT", 0.01)
    collected, where = threading.Event(), []

    def note() -> None:
        where.append(threading.current_thread().name)
        collected.set()

    try:
        collect_apart()
        one = Cycle()
        one.itself = one  # type: ignore[attr-defined]
        weakref.finalize(one, note)
        del one
        assert collected.wait(30)
    finally:
        gc.enable()
        gc.unfreeze()
    assert where == ["garbage"]
