"""Feedback without training: what the owner's verdicts change in memory, journalled and undoable.

The state follows from the verdicts alone, so that refining twice changes nothing more; each
change is in the journal, with what was before, ahead of being made.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

from tasks.feedback import corrections
from tasks.feedback.credit import Credit, credit, pooled
from tasks.feedback.examples import taught
from tasks.memory import indexing
from tasks.memory.store import Row, quoted, store
from tasks.memory.superseding import PREFIX
from thirdshift.errors import NotFound
from thirdshift.learning import Change, Feedback, Refinement
from thirdshift.records import content_hash

_SMALLEST = 0.005  # a change of weight below is none
_COLUMNS = ["id", "document_id", "weight", "status", "provenance"]


def refine(today: date) -> Refinement | None:
    """Bring memory in line with the verdicts; return what changed, None where nothing did."""
    verdicts = considered()
    changes = corrections.planned(verdicts) + _weighed(credit(verdicts, today))
    if not changes:
        return None
    journalled = {key for refinement in refinements() for key in refinement.verdicts}
    new = [key for feedback in verdicts if (key := _key(feedback)) not in journalled]
    identity = content_hash("refinement", _json(changes), *new, today.isoformat())
    refinement = Refinement(id=identity, changes=changes, verdicts=new)
    _journal(refinement)
    apply(changes)
    return refinement


def undo() -> Refinement:
    """Take the last refinement back, and let its verdicts count no more; return it.

    Raises NotFound where there is none. A verdict that is given anew counts again.
    """
    done = [refinement for refinement in refinements() if not refinement.undone]
    if not done:
        raise NotFound("No refinement is left to undo.", "`thirdshift refine list` shows them.")
    last = done[-1]
    turned = [
        change.model_copy(update={"before": change.after, "after": change.before})
        for change in reversed(last.changes)
    ]
    apply(turned)
    undone = last.model_copy(update={"undone": True})
    _journal(undone)
    return undone


def refinements() -> list[Refinement]:
    """Return the journal, oldest first."""
    rows = store().rows("refinements").to_pylist()
    journal = [Refinement(**row | {"changes": json.loads(row["changes"])}) for row in rows]
    return sorted(journal, key=lambda refinement: refinement.at)


def considered() -> list[Feedback]:
    """Return the verdicts that count: all but those of refinements that were undone."""
    undone = {key for entry in refinements() if entry.undone for key in entry.verdicts}
    verdicts = [row for row in taught("feedback") if isinstance(row, Feedback)]
    return [feedback for feedback in verdicts if _key(feedback) not in undone]


def apply(changes: Sequence[Change]) -> None:
    """Make changes; chunks that are gone are left out. Twice is as once."""
    for change in changes:
        if change.of == "correction":
            corrections.apply(change)
    indexing.revise([_revision(change) for change in changes if change.of != "correction"])


def _revision(change: Change) -> tuple[str, str, float | str]:
    """Return what changes in which chunk: (id, column, value); a journal holds weights as text."""
    value = float(change.after) if change.of == "weight" else change.after
    return change.chunk_id, change.of, value


def flagged() -> list[Row]:
    """Return the chunks that await the owner's review: id, title, uri, text, weight."""
    columns = ["id", "title", "uri", "text", "weight"]
    rows: list[Row] = store().rows("chunks", "status = 'flagged'", columns).to_pylist()
    return rows


def _weighed(credits: dict[str, Credit]) -> list[Change]:
    changes = []
    rows = _chunks(credits)
    pool = pooled(credits, {row["id"]: row["document_id"] for row in rows})
    for row in rows:
        earned = pool[row["id"]]
        # A derived text never outranks its source, however well it is liked.
        weight = min(earned.weight, 1.0) if row["provenance"] == "derived" else earned.weight
        if abs(weight - row["weight"]) > _SMALLEST:
            changes.append(_change("weight", row, f"{weight:.3f}"))
        status = "flagged" if earned.is_consistently_bad else "active"
        if {row["status"], status} == {"active", "flagged"}:
            changes.append(_change("status", row, status))
    return changes


def _chunks(ids: Iterable[str]) -> list[Row]:
    """Return the chunks of the documents these are of, and those that earlier verdicts moved."""
    cited = store().rows("chunks", f"id IN {quoted('', *ids)}", ["document_id"])
    documents = quoted("", *cited["document_id"].unique().to_pylist())
    where = f"(document_id IN {documents} OR weight != 1.0 OR status = 'flagged')"
    where += f" AND NOT starts_with(uri, '{PREFIX}')"
    rows: list[Row] = store().rows("chunks", where, _COLUMNS).to_pylist()
    return sorted(rows, key=lambda row: str(row["id"]))


def _change(of: Literal["weight", "status"], row: Row, after: str) -> Change:
    before = f"{row['weight']:.3f}" if of == "weight" else row[of]
    return Change(of=of, chunk_id=row["id"], before=before, after=after)


def _journal(refinement: Refinement) -> None:
    row = refinement.model_dump(exclude={"changes"})
    store().upsert("refinements", [row | {"changes": _json(refinement.changes)}])


def _json(changes: Sequence[Change]) -> str:
    return json.dumps([change.model_dump() for change in changes], ensure_ascii=False)


def _key(feedback: Feedback) -> str:
    """Name a verdict; the same turn judged anew is another one."""
    return f"{feedback.id}@{feedback.created_at.isoformat()}"
