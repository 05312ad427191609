"""Passages of the web in memory: kept with their address, recalled as untrusted, bounded."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from tasks.memory import indexing
from tasks.memory.store import quoted, store
from thirdshift.newsroom import Passage
from thirdshift.records import Note, Record, now
from thirdshift.settings import settings

_WEB = "provenance = 'untrusted_web'"


class Article(Record):
    """The text of a page, with where it was read."""

    url: str
    title: str
    text: str


def keep(articles: Sequence[Article]) -> list[Passage]:
    """Store articles as passages and return these, in the order of the articles.

    An address that was read before is replaced where its text has changed.
    """
    notes = [
        Note(
            text=article.text,
            title=article.title,
            source=article.url,
            provenance="untrusted_web",
        )
        for article in articles
    ]
    order = {document: place for place, document in enumerate(indexing.remember(notes))}
    if not order:
        return []
    where = f"document_id IN {quoted(*order)} AND status = 'active'"
    rows = store().rows("chunks", where).to_pylist()
    rows.sort(key=lambda row: (order[row["document_id"]], row["start"]))
    return [_passage(row) for row in rows]


def find(ids: Collection[str]) -> dict[str, Passage]:
    """Return the passages that exist, by id."""
    rows = store().rows("chunks", f"id IN {quoted(*ids)}").to_pylist() if ids else []
    return {row["id"]: _passage(row) for row in rows}


def prune(needed: Collection[str]) -> int:
    """Delete what is too old or too much, the oldest first, but not what drafts need; a count."""
    limits = settings().research
    rows = store().rows("chunks", _WEB, ["id", "created_at"]).to_pylist()
    rows.sort(key=lambda row: row["created_at"])
    free = [row for row in rows if row["id"] not in needed]
    oldest = now() - timedelta(days=limits.keep_days)
    surplus = max(len(rows) - limits.keep_passages, 0)
    gone = [
        row["id"] for rank, row in enumerate(free) if rank < surplus or row["created_at"] < oldest
    ]
    indexing.forget(gone)
    return len(gone)


def _passage(row: dict[str, str]) -> Passage:
    return Passage(id=row["id"], url=row["uri"], title=row["title"], text=row["text"])
