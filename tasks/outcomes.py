"""The ledger of what ran: every flow's outcome is kept here, and read by the morning report."""

import functools
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec

from tasks.store import store
from thirdshift.errors import ThirdShiftError
from thirdshift.outcome import Outcome, Ran
from thirdshift.records import content_hash, now

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

P = ParamSpec("P")

_NAMES = {"done": "Done", "nothing_to_do": "NothingToDo", "skipped": "Skipped"}


def accountable(body: Callable[P, Awaitable[Outcome]]) -> Callable[P, Awaitable["State[Any]"]]:
    """Wrap a flow's body: its outcome is kept in the ledger and becomes the run's state.

    An error of ours is an outcome too (`failed`, with its remedy); anything else is kept as
    failed and raised, so that Prefect records the traceback and retries by policy.
    """

    @functools.wraps(body)
    async def run(*args: P.args, **kwargs: P.kwargs) -> "State[Any]":
        started, clock = now(), time.monotonic()
        keep = functools.partial(_keep, body.__name__, started)
        try:
            outcome = await body(*args, **kwargs)
        except ThirdShiftError as error:
            outcome = Outcome(status="failed", reason=str(error))
        except Exception as error:
            keep(time.monotonic() - clock, Outcome(status="failed", reason=repr(error)))
            raise
        keep(time.monotonic() - clock, outcome)
        return _state(outcome)

    return run


def keep(ran: Ran) -> None:
    """Add a run to the ledger; the same id again replaces it."""
    row = ran.model_dump(exclude={"outcome"}) | {"outcome": ran.outcome.model_dump_json()}
    store().upsert("outcomes", [row])


def history(since: datetime, until: datetime | None = None) -> list[Ran]:
    """Return the runs that started in the period, oldest first."""
    where = f"started_at >= timestamp '{since.isoformat()}'"
    if until:
        where += f" AND started_at < timestamp '{until.isoformat()}'"
    rows = store().rows("outcomes", where).to_pylist()
    for row in rows:
        row["outcome"] = Outcome.model_validate_json(row["outcome"])
    return sorted((Ran(**row) for row in rows), key=lambda ran: ran.started_at)


def _keep(flow: str, started_at: datetime, seconds: float, outcome: Outcome) -> None:
    from prefect.runtime import flow_run

    identity = str(flow_run.id or content_hash(flow, started_at.isoformat()))
    keep(
        Ran(
            id=identity,
            flow=flow,
            run_name=str(flow_run.name or flow),
            started_at=started_at,
            seconds=seconds,
            outcome=outcome,
        )
    )


def _state(outcome: Outcome) -> "State[Any]":
    from prefect.states import Completed, Failed

    if outcome.status == "failed":
        return Failed(message=outcome.reason, data=outcome)
    return Completed(name=_NAMES[outcome.status], message=outcome.reason, data=outcome)
