"""Turns of the conversation: kept for a while, so that a verdict can be bound to one."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from tasks.memory.store import store
from thirdshift.errors import NotFound, ThirdShiftError
from thirdshift.learning import Turn
from thirdshift.records import content_hash, now
from thirdshift.settings import settings

_SHORTEST = 4  # characters of an id that may stand for it


def keep_turn(
    question: str,
    answer: str,
    chunk_ids: Sequence[str],
    *,
    tier: str,
    model: str = "",
    adapter: str = "",
) -> str:
    """Keep a turn and return its id; empty where the settings keep none, or the store cannot.

    An answer is worth more than its record: a busy store or a full disk is only logged.
    """
    if not settings().learning.keep_turns_days:
        return ""
    moment = now()
    turn = Turn(
        id=content_hash("turn", question, answer, moment.isoformat()),
        question=question,
        answer=answer,
        chunk_ids=list(chunk_ids),
        tier=tier,
        model=model,
        adapter=adapter,
        asked_at=moment,
    )
    try:
        store().upsert("turns", [turn.model_dump()])
    except ThirdShiftError as error:
        logging.getLogger(__name__).warning("The turn was not kept: %s", error)
        return ""
    return turn.id


def turn(identity: str = "") -> Turn:
    """Return the turn with this id, or with the only id that starts so; without one the last."""
    if not identity:
        return _last()
    where = f"starts_with(id, '{identity}')" if len(identity) >= _SHORTEST else "false"
    rows = store().rows("turns", where).to_pylist() if identity.isalnum() else []
    if len(rows) != 1:
        fault = "Several turns have ids that start" if rows else "No turn has an id that starts"
        raise NotFound(f"{fault} with {identity!r}.", "`thirdshift ask` prints each turn's id.")
    return Turn(**rows[0])


def purge_turns() -> int:
    """Delete the turns older than the settings keep them; return how many went.

    Verdicts hold what they were about, and stay.
    """
    limit = now() - timedelta(days=settings().learning.keep_turns_days)
    where = f"asked_at < timestamp '{limit.isoformat()}'"
    gone = store().count("turns", where)
    if gone:
        store().delete("turns", where)
    return gone


def _last() -> Turn:
    times = store().rows("turns", None, ["id", "asked_at"]).to_pylist()
    if not times:
        raise NotFound("Nothing was asked yet.", "Ask first: `thirdshift ask QUESTION`.")
    last = max(times, key=lambda row: row["asked_at"])["id"]
    return Turn(**store().rows("turns", f"id = '{last}'").to_pylist()[0])
