"""The owner's corrections in memory: which there are, and which passages they take the place of.

A correction is a note of the owner's that holds the question too, so that the question and its
paraphrases find it.
"""

from collections.abc import Sequence

import numpy as np

from tasks.feedback.credit import question_key
from tasks.memory import indexing
from tasks.memory.store import Row, quoted, store
from tasks.memory.superseding import PREFIX
from tasks.models.embedding import embedder
from thirdshift.learning import Change, Feedback
from thirdshift.records import Note, content_hash

WEIGHT = 1.5  # the owner's word outranks what it corrects
_SAME_QUESTION = 0.9  # cosine of two questions, from which the later correction is the only one
_ABOUT = 0.5  # cosine of a correction with the cited passage that it takes the place of
_NOTHING_NEW = 0.8  # of a passage's letters; a correction that repeats it is no new text


def name(question: str) -> str:
    """Return the uri of the correction for a question."""
    return PREFIX + content_hash(question_key(question))


def planned(feedback: Sequence[Feedback]) -> list[Change]:
    """Return what must change for memory to hold each question's newest correction, and no other.

    One that the owner made memory forget stays forgotten, until they correct anew.
    """
    held = {row["id"]: row for row in store().rows("corrections").to_pylist()}
    wanted = {indexing.note_id(name(one.question)): one for one in _newest(feedback)}
    gone = [
        _change(identity, row, before=row["text"], after="")
        for identity, row in held.items()
        if identity not in wanted
    ]
    fresh = [
        _change(identity, _row(one), before=held.get(identity, {}).get("text", ""), after=text)
        for identity, one in wanted.items()
        if (text := one.correction) != held.get(identity, {}).get("text") and not _is_known(one)
    ]
    return gone + fresh


def apply(change: Change) -> None:
    """Make memory hold the correction, or hold it no more; twice is as once."""
    if not change.after:
        indexing.forget([change.chunk_id])
        store().delete("corrections", f"id IN {quoted(change.chunk_id)}")
        return
    text = f"{change.question}\n{change.after}"
    note = Note(text=text, title=change.question, source=name(change.question))
    indexing.remember([note])
    store().update("chunks", f"document_id IN {quoted(change.chunk_id)}", weight=WEIGHT)
    row = {"id": change.chunk_id, "question": change.question, "text": change.after}
    store().upsert("corrections", [row | {"corrects": change.corrects}])


def _newest(feedback: Sequence[Feedback]) -> list[Feedback]:
    """Return the corrections to hold: of those to the same or a like question, the newest."""
    ordered = sorted(feedback, key=lambda one: (one.created_at, one.id), reverse=True)
    corrections = [one for one in ordered if one.verdict == "correct"]
    vectors = embedder().query([one.question for one in corrections])
    kept: list[int] = []
    for at, vector in enumerate(vectors):
        if all(float(vector @ vectors[other]) < _SAME_QUESTION for other in kept):
            kept.append(at)
    return [corrections[at] for at in kept]


def _row(one: Feedback) -> Row:
    return {"question": one.question, "corrects": _corrected(one)}


def _corrected(one: Feedback) -> list[str]:
    """Return the cited chunk that the correction is about, if one is near enough."""
    found = _cited(one, ["id", "vector"])
    if not found:
        return []
    said = embedder().passage([f"{one.question}\n{one.correction}"])[0]
    cosines = [float(np.asarray(row["vector"]) @ said) for row in found]
    best = int(np.argmax(cosines))
    return [found[best]["id"]] if cosines[best] >= _ABOUT else []


def _is_known(one: Feedback) -> bool:
    """Tell whether a cited passage says the very same: recalled text is not stored anew."""
    said = question_key(one.correction)
    texts = [question_key(row["text"]) for row in _cited(one, ["text"])]
    return any(said in text and len(said) >= _NOTHING_NEW * len(text) for text in texts)


def _cited(one: Feedback, columns: list[str]) -> list[Row]:
    where = f"id IN {quoted(*one.chunk_ids)} AND NOT starts_with(uri, '{PREFIX}')"
    rows: list[Row] = store().rows("chunks", where, columns).to_pylist() if one.chunk_ids else []
    return rows


def _change(identity: str, row: Row, before: str, after: str) -> Change:
    return Change(
        of="correction",
        chunk_id=identity,
        before=before,
        after=after,
        question=row["question"],
        corrects=row["corrects"],
    )
