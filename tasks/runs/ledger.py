"""The ledger of what ran: a row for every outcome, one more each time a run was put off."""

from datetime import datetime

from tasks.memory.store import store
from thirdshift.outcome import Outcome, Ran


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
