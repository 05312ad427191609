"""Keeping the store in order: what was deleted long ago goes, small files are merged."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from tasks.store import quoted, store
from tasks.turns import purge_turns
from thirdshift.records import now
from thirdshift.settings import settings


def purge() -> int:
    """Remove what was deleted long ago and chunks without a document; return how many chunks.

    Turns that are older than the settings keep them go too.
    A chunk stands without its document for a moment while a file is being read, so only those
    older than a day count as left behind by an interrupted reading.
    """
    purge_turns()
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


def sweep() -> int:
    """Remove copies that can be made again and that nothing has used for long; return bytes.

    These are tables written anew in UTF-8, and a GGUF's weights as MLX trains them. What the
    owner or a hub put beside them stays.
    """
    old = [*_unused(settings().run_path / "utf-8", "*.csv", timedelta(days=7))]
    old += _unused(settings().models_path / "mlx", "[0-9a-f]" * 16 + "-*", timedelta(days=60))
    size = sum(_size(path) for path in old)
    for path in old:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return size


def _unused(folder: Path, names: str, age: timedelta) -> Iterator[Path]:
    """Yield what has such a name in a folder and was last made or touched so long ago."""
    limit = (now() - age).timestamp()
    found = (path for path in folder.glob(names) if path.suffix != ".lock")
    return (path for path in found if path.stat().st_mtime < limit)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _left_behind() -> set[str]:
    yesterday = now() - timedelta(days=1)
    where = f"created_at < timestamp '{yesterday.isoformat()}'"
    held = set(store().rows("chunks", where, ["document_id"])["document_id"].to_pylist())
    return held - set(store().rows("documents", None, ["id"])["id"].to_pylist())
