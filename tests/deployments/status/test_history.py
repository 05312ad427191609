import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Cancelled, Crashed, Scheduled

from deployments.runner.effects import CAUGHT_UP, PrefectEffects
from deployments.status.history import happenings, period
from tasks.runs.ledger import keep
from tasks.runs.schedule import Policy, Skip
from tests.conftest import free_port
from thirdshift.errors import NotFound
from thirdshift.outcome import Outcome, Ran
from thirdshift.records import now

DAY = timedelta(days=1)


def kept(identity: str, reason: str) -> None:
    outcome = Outcome(status="nothing_to_do", reason=reason)
    keep(Ran(id=identity, flow="look", run_name="r", started_at=now(), seconds=1, outcome=outcome))


def test_lengths_of_time_are_read() -> None:
    assert period("90m") == timedelta(minutes=90)
    assert period("7d") == timedelta(days=7)
    with pytest.raises(NotFound, match="24h"):
        period("yesterday")


def test_without_a_server_the_ledger_is_told(override: Callable[..., None]) -> None:
    override(PORTS__PREFECT=free_port())
    kept("a", "Nothing new.")

    code = "from deployments.cli.app import main; main()"
    command = [sys.executable, "-c", code, "history", "--since", "1h", "--json"]
    result = subprocess.run(command, capture_output=True, text=True)

    assert [row["reason"] for row in json.loads(result.stdout)] == ["Nothing new."]
    assert "the ledger alone" in result.stderr


async def test_what_prefect_alone_knows_is_told_too(
    prefect: str, client: SyncPrefectClient
) -> None:
    from prefect import flow

    @flow
    def look() -> None: ...

    runs = [client.create_flow_run(look, tags=[tag]) for tag in ("one", "two", CAUGHT_UP)]
    client.set_flow_run_state(runs[0].id, Crashed(message="Its process is gone."), force=True)
    client.set_flow_run_state(runs[1].id, Cancelled(name="Skipped", message="-"), force=True)
    client.set_flow_run_state(runs[2].id, Cancelled(message="By the owner."), force=True)
    skip = Skip(first=now() - DAY, last=now(), count=2, reason="Missed: 3 h 00 min late.")
    await PrefectEffects(client).tell(Policy(name="look", cron="0 2 * * *", catch_up="skip"), skip)  # type: ignore[arg-type]

    found, complete = happenings(DAY)

    ours = {one.run: one for one in found if one.run in {run.name for run in runs}}
    assert complete
    assert ours[runs[0].name].status == "crashed"
    assert runs[1].name not in ours
    assert ours[runs[2].name].reason == "Caught up. By the owner."
    (dropped,) = [one for one in found if one.status == "skipped"]
    assert dropped.flow == "look" and "2 times from" in dropped.reason


async def test_doors_do_everything_only_once(prefect: str, client: SyncPrefectClient) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client

    @flow
    def caught() -> None: ...

    at = now()
    flow_id = client.create_flow(caught)
    deployment = client.create_deployment(flow_id, "caught")
    async with get_client() as ours:
        effects = PrefectEffects(ours)
        await effects.create(deployment, at)
        await effects.create(deployment, at)
        assert not await effects.active(deployment)  # it has no schedule
        (run,) = [run for run in client.read_flow_runs() if run.deployment_id == deployment]
        await effects.cancel(str(run.id), "Why not.")
        client.delete_flow_run(run.id)
        await effects.cancel(str(run.id), "Why not.")

    assert run.tags == [CAUGHT_UP]
    assert run.state and run.state.type == Scheduled().type
