"""Training examples: what the owner teaches by verdicts on answers, preferences and edits.

A verdict is memory and is kept as it was given; examples and preferences go into weights, which
cannot forget, and are scrubbed first. Ids are hashes of the content: the same twice is kept once.
"""

from collections.abc import Callable
from typing import Any

from tasks.feedback.turns import turn as find_turn
from tasks.memory.store import Row, quoted, store
from tasks.text import scrubbing
from thirdshift.errors import NotCollected, NotFound, ThirdShiftError
from thirdshift.learning import Example, Feedback, Origin, Preference, Rating, Turn
from thirdshift.records import content_hash
from thirdshift.settings import settings

Taught = Feedback | Example | Preference

_TABLES: dict[str, Callable[..., Taught]] = {
    "feedback": Feedback,
    "examples": Example,
    "preferences": Preference,
}
_WORDED = ("sentinel", "specialist")  # tiers whose answers a model wrote
_SHORTEST = 4  # characters of an id that may stand for it


def give_feedback(verdict: Rating, turn_id: str = "", correction: str = "") -> Feedback:
    """Keep a verdict on a turn, by default the last; a later one replaces it.

    A good answer that a model worded becomes an example; a correction becomes one, and a
    preference over the answer that a model worded. Raises NotCollected, NotFound.
    """
    require("feedback")
    if (verdict == "correct") != bool(correction.strip()):
        raise ThirdShiftError("A correction needs its text, and only a correction has one.")
    turn = find_turn(turn_id)
    feedback = _feedback(turn, verdict, correction.strip())
    store().upsert("feedback", [feedback.model_dump()])
    _withdraw(turn.id)
    _learn(feedback)
    return feedback


def keep_example(
    prompt: str, completion: str, *, origin: Origin = "written", **bound: Any
) -> Example:
    """Keep a prompt with a completion the owner accepts.

    `bound` says what it belongs to: turn_id, chunk_ids, model, adapter. Raises NotCollected.
    """
    require("examples")
    prompt, completion = _scrubbed(prompt), _scrubbed(completion)
    identity = content_hash("example", prompt, completion)
    example = Example(id=identity, origin=origin, prompt=prompt, completion=completion, **bound)
    store().upsert("examples", [example.model_dump()])
    return example


def prefer(
    prompt: str, chosen: str, rejected: str, *, origin: Origin = "choice", **bound: Any
) -> Preference:
    """Keep that one completion of a prompt is better than another; `bound` as in keep_example."""
    require("preferences")
    prompt, chosen, rejected = _scrubbed(prompt), _scrubbed(chosen), _scrubbed(rejected)
    if chosen == rejected:
        raise ThirdShiftError("The two answers are the same: there is nothing to prefer.")
    preference = Preference(
        id=content_hash("preference", prompt, chosen, rejected),
        origin=origin,
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        **bound,
    )
    opposite = content_hash("preference", prompt, rejected, chosen)
    store().upsert("preferences", [preference.model_dump()], replacing=f"id = '{opposite}'")
    return preference


def record_edit(prompt: str, before: str, after: str, **bound: Any) -> list[str]:
    """Keep an owner's edit of a draft: the new text as an example, and as preferred to the old.

    Return the ids of what was kept; what the settings do not collect is left out, and so is
    the preference where nothing was changed. `bound` as in keep_example.
    """
    ids = []
    if collects("examples"):
        ids.append(keep_example(prompt, after, origin="edit", **bound).id)
    differs = scrubbing.scrub(before).strip() != scrubbing.scrub(after).strip()
    if collects("preferences") and differs:
        ids.append(prefer(prompt, after, before, origin="edit", **bound).id)
    return ids


def collects(kind: str) -> bool:
    """Tell whether the settings allow to keep feedback, examples or preferences."""
    return bool(getattr(settings().learning, f"collect_{kind}"))


def require(kind: str) -> None:
    """Raise NotCollected where the settings do not allow to keep this kind."""
    if not collects(kind):
        raise NotCollected(
            f"The settings say not to keep {kind} (learning.collect_{kind} = false).",
            f"Set learning.collect_{kind} to true to allow it.",
        )


def taught(kind: str) -> list[Taught]:
    """Return all rows of `feedback`, `examples` or `preferences`, oldest first."""
    rows = [_TABLES[kind](**row) for row in store().rows(kind).to_pylist()]
    return sorted(rows, key=lambda row: (row.created_at, row.id))


def find(identity: str) -> tuple[str, Taught]:
    """Return the kind and the row with this id, or with the only id that starts so."""
    matching = [(kind, row) for kind in _TABLES for row in _starting(kind, identity)]
    if len(matching) != 1:
        fault = "Several rows have ids that start" if matching else "No row has an id that starts"
        raise NotFound(f"{fault} with {identity!r}.", "`thirdshift examples list` shows the ids.")
    ((kind, row),) = matching
    return kind, _TABLES[kind](**row)


def delete(identity: str) -> str:
    """Delete one row for good, and what was learnt from it; return its kind."""
    kind, row = find(identity)
    store().delete(kind, f"id = '{row.id}'")
    if isinstance(row, Feedback):
        _withdraw(row.turn_id)
    return kind


def _starting(kind: str, identity: str) -> list[Row]:
    if len(identity) < _SHORTEST or not identity.isalnum():
        return []
    rows: list[Row] = store().rows(kind, f"starts_with(id, '{identity}')").to_pylist()
    return rows


def _feedback(turn: Turn, verdict: Rating, correction: str) -> Feedback:
    same = turn.model_dump(exclude={"id", "asked_at"})
    identity = content_hash("feedback", turn.id)
    return Feedback(id=identity, turn_id=turn.id, verdict=verdict, correction=correction, **same)


def _learn(feedback: Feedback) -> None:
    bound = feedback.model_dump(include={"turn_id", "chunk_ids", "model", "adapter"})
    worded = feedback.tier in _WORDED
    if feedback.verdict == "good" and worded and collects("examples"):
        keep_example(feedback.question, feedback.answer, origin="answer", **bound)
    if feedback.verdict != "correct":
        return
    if collects("examples"):
        keep_example(feedback.question, feedback.correction, origin="correction", **bound)
    if worded and collects("preferences") and feedback.correction != feedback.answer:
        texts = (feedback.question, feedback.correction, feedback.answer)
        prefer(*texts, origin="correction", **bound)


def _withdraw(turn_id: str) -> None:
    """Delete what an earlier verdict on the turn taught."""
    for kind in ("examples", "preferences"):
        where = f"turn_id IN {quoted(turn_id)} AND origin IN ('answer', 'correction')"
        if store().count(kind, where):
            store().delete(kind, where)


def _scrubbed(text: str) -> str:
    """Return the text as it may be taught; raises where nothing is left of it."""
    text = scrubbing.scrub(text).strip()
    if not text:
        raise ThirdShiftError("An example needs a prompt and a completion that are not empty.")
    return text
