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


def uri(question: str) -> str:
    """Return the uri of the correction for a question."""
    return PREFIX + content_hash(question_key(question))


def planned(verdicts: Sequence[Feedback]) -> list[Change]:
    """Return what must change for memory to hold each question's newest correction, and no other.

    One that the owner made memory forget stays forgotten, until they correct anew.
    """
    held = {row["id"]: row for row in store().rows("corrections").to_pylist()}
    wanted = {indexing.note_id(uri(feedback.question)): feedback for feedback in _newest(verdicts)}
    gone = [
        _change(identity, row, before=row["text"], after="")
        for identity, row in held.items()
        if identity not in wanted
    ]
    fresh = [
        _change(identity, _row(feedback), before=text, after=feedback.correction)
        for identity, feedback in wanted.items()
        if (text := held.get(identity, {}).get("text", "")) != feedback.correction
        if not _is_known(feedback)
    ]
    return gone + fresh


def apply(change: Change) -> None:
    """Make memory hold the correction, or hold it no more; twice is as once."""
    if not change.after:
        indexing.forget([change.chunk_id])
        store().delete("corrections", f"id IN {quoted(change.chunk_id)}")
        return
    text = f"{change.question}\n{change.after}"
    note = Note(text=text, title=change.question, source=uri(change.question))
    indexing.remember([note])
    indexing.weigh(change.chunk_id, WEIGHT)
    row = {"id": change.chunk_id, "question": change.question, "text": change.after}
    store().upsert("corrections", [row | {"corrects": change.corrects}])


def _newest(verdicts: Sequence[Feedback]) -> list[Feedback]:
    """Return the corrections to hold: of those to the same or a like question, the newest."""
    ordered = sorted(verdicts, key=lambda feedback: (feedback.created_at, feedback.id))
    corrections = [feedback for feedback in reversed(ordered) if feedback.verdict == "correct"]
    vectors = embedder().query([correction.question for correction in corrections])
    apart: list[int] = []  # positions of corrections to different questions
    for position, vector in enumerate(vectors):
        if all(float(vector @ vectors[other]) < _SAME_QUESTION for other in apart):
            apart.append(position)
    return [corrections[position] for position in apart]


def _row(feedback: Feedback) -> Row:
    return {"question": feedback.question, "corrects": _corrected(feedback)}


def _corrected(feedback: Feedback) -> list[str]:
    """Return the cited chunk that the correction is about, if one is near enough."""
    cited = _cited(feedback, ["id", "vector"])
    if not cited:
        return []
    passage = embedder().passage([f"{feedback.question}\n{feedback.correction}"])[0]
    cosines = [float(np.asarray(row["vector"]) @ passage) for row in cited]
    best = int(np.argmax(cosines))
    return [cited[best]["id"]] if cosines[best] >= _ABOUT else []


def _is_known(feedback: Feedback) -> bool:
    """Tell whether a cited passage says the very same: recalled text is not stored anew."""
    correction = question_key(feedback.correction)
    texts = [question_key(row["text"]) for row in _cited(feedback, ["text"])]
    return any(correction in text and len(correction) >= _NOTHING_NEW * len(text) for text in texts)


def _cited(feedback: Feedback, columns: list[str]) -> list[Row]:
    """Return the cited chunks that are no corrections themselves."""
    if not feedback.chunk_ids:
        return []
    where = f"id IN {quoted(*feedback.chunk_ids)} AND NOT starts_with(uri, '{PREFIX}')"
    rows: list[Row] = store().rows("chunks", where, columns).to_pylist()
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
