"""What a refinement did to recall: the ranks of what changed, before and after."""

from collections.abc import Mapping, Sequence

from tasks.feedback.credit import newest
from tasks.memory.retrieval import recall
from tasks.memory.store import Row, quoted, store
from thirdshift.learning import Change, Feedback

Rankings = Mapping[str, Sequence[str]]  # ids of chunks, best first, by question

_QUESTIONS = 20  # that are looked at, the newest
_DEPTH = 20  # ranks
_SHOWN = 3  # questions for one change


def rankings(verdicts: Sequence[Feedback]) -> dict[str, list[str]]:
    """Return what memory recalls now for the newest questions with a verdict."""
    questions = [feedback.question for feedback in newest(verdicts)][-_QUESTIONS:]
    return {question: [hit.chunk_id for hit in recall(question, _DEPTH)] for question in questions}


def comparison(changes: Sequence[Change], before: Rankings, after: Rankings) -> list[Row]:
    """Return a row for each change and question it tells for; a rank is None where not recalled."""
    ids = quoted(*{change.chunk_id for change in changes})
    columns = ["id", "document_id", "title", "uri"]
    where = f"id IN {ids} OR document_id IN {ids}"
    rows = store().rows("chunks", where, columns).to_pylist()
    named = {row["document_id"]: row for row in rows} | {row["id"]: row for row in rows}
    return [
        _compared(change, named.get(change.chunk_id, {}), question, before, after)
        for change in changes
        for question in _questions(change, before, after)
    ]


def _compared(change: Change, row: Row, question: str, before: Rankings, after: Rankings) -> Row:
    identity = row.get("id", "")
    return {
        "passage": row.get("title", change.question),
        "document": row.get("uri", ""),
        "what": change.of,
        "before": change.before,
        "after": change.after,
        "question": question,
        "rank before": _rank(identity, before.get(question, [])),
        "rank after": _rank(identity, after.get(question, [])),
    }


def _questions(change: Change, before: Rankings, after: Rankings) -> list[str]:
    if change.of == "correction":
        return [change.question]
    recalled = {question: {*ids, *after.get(question, [])} for question, ids in before.items()}
    questions = [question for question, ids in recalled.items() if change.chunk_id in ids]
    return questions[-_SHOWN:] or [""]


def _rank(chunk: str, ranking: Sequence[str]) -> int | None:
    return ranking.index(chunk) + 1 if chunk in ranking else None
