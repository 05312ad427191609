"""Maintenance of the store: what was deleted long ago goes, small files are merged, all indexed."""

from datetime import timedelta

from tasks.memory import chunks, indexing
from tasks.memory.store import store
from thirdshift.records import now
from thirdshift.settings import settings


def purge() -> int:
    """Remove what was deleted long ago and chunks without a document; return how many chunks.

    A chunk stands without its document for a moment while a file is being read, so only those
    older than a day count as left behind by an interrupted reading.
    """
    limit = now() - timedelta(days=settings().store.keep_deleted_days)
    where = f"status = 'deleted' AND modified_at < timestamp '{limit.isoformat()}'"
    old = set(store().rows("documents", where, ["id"])["id"].to_pylist())
    return indexing.forget(sorted(old | _left_behind()))


def compact() -> tuple[int, int]:
    """Merge small files, drop old versions and bring indexes up to date; bytes before, after."""
    with store().writing():
        before, _ = store().compact()
        chunks.index_vectors()
    return before, store().size()


def _left_behind() -> set[str]:
    """Return documents that are named by chunks of before yesterday, and are not there."""
    yesterday = now() - timedelta(days=1)
    where = f"created_at < timestamp '{yesterday.isoformat()}'"
    named = set(store().rows("chunks", where, ["document_id"])["document_id"].to_pylist())
    return named - set(store().rows("documents", None, ["id"])["id"].to_pylist())
