"""Keeping the store in order: what was deleted long ago goes, small files are merged."""

from datetime import timedelta

from tasks.memory.store import quoted, store
from thirdshift.records import now
from thirdshift.settings import settings


def purge() -> int:
    """Remove what was deleted long ago and chunks without a document; return how many chunks.

    A chunk stands without its document for a moment while a file is being read, so only those
    older than a day count as left behind by an interrupted reading.
    """
    before = store().count("chunks")
    limit = now() - timedelta(days=settings().store.keep_deleted_days)
    where = f"status = 'deleted' AND modified_at < timestamp '{limit.isoformat()}'"
    old = set(store().rows("documents", where, ["id"])["id"].to_pylist())
    gone = sorted(old | _left_behind())
    if gone:
        store().delete("chunks", f"document_id IN {quoted(*gone)}")
        store().delete("documents", f"id IN {quoted(*gone)}")
    return before - store().count("chunks")


def compact() -> tuple[int, int]:
    """Merge small files, drop old versions and bring indexes up to date; bytes before, after."""
    return store().compact()


def _left_behind() -> set[str]:
    yesterday = now() - timedelta(days=1)
    where = f"created_at < timestamp '{yesterday.isoformat()}'"
    held = set(store().rows("chunks", where, ["document_id"])["document_id"].to_pylist())
    return held - set(store().rows("documents", None, ["id"])["id"].to_pylist())
