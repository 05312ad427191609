"""The memory on disk: one LanceDB folder of tables of rows, and the only path that writes to it.

LanceDB never compacts by itself and refuses commits that collide, so every writer takes the
same inter-process lock, writes in batches, and leaves compaction to `maintain_store`.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from filelock import FileLock, Timeout

from tasks.machine.disk import ensure_room
from tasks.memory.schemas import indexes_of, schema_of
from thirdshift.errors import StoreBusy
from thirdshift.settings import settings

Row = dict[str, Any]
T = TypeVar("T")

_ATTEMPTS = 5  # at a commit that collides with another process's


class Store:
    """A LanceDB folder. Reads see every commit; writes take turns."""

    def __init__(self, path: Path) -> None:
        import lancedb

        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._db = lancedb.connect(path, read_consistency_interval=timedelta(0))
        self._lock = FileLock(path.with_suffix(".lock"))
        self._tables: dict[str, Any] = {}

    def upsert(self, name: str, rows: Sequence[Row], *, replacing: str | None = None) -> None:
        """Insert or update rows by `id`, in one commit.

        With `replacing`, rows that match that condition and are not among `rows` are deleted
        by the same commit: a reader sees the old set or the new one, never a mixture.
        """
        if not rows and replacing is None:
            return
        table = self.table(name)
        batch = pa.Table.from_pylist(list(rows), schema=table.schema)
        with self.writing():
            _persist(lambda: _merge(table, batch, replacing))

    def update(self, name: str, where: str, **values: Any) -> None:
        """Set columns of the rows that match."""
        with self.writing():
            _persist(lambda: self.table(name).update(where=where, values=values))

    def delete(self, name: str, where: str) -> None:
        """Remove the rows that match; older versions keep them until compaction."""
        with self.writing():
            _persist(lambda: self.table(name).delete(where))

    def rows(self, name: str, where: str | None = None, columns: list[str] | None = None) -> Any:
        """Return the matching rows as an Arrow table."""
        query = self.table(name).search()
        if where:
            query = query.where(where)
        if columns:
            query = query.select(columns)
        return query.limit(self.count(name) or 1).to_arrow()

    def count(self, name: str, where: str | None = None) -> int:
        """Return how many rows match."""
        return int(self.table(name).count_rows(where))

    def table(self, name: str) -> Any:
        """Return the table, made empty with its indexes where it does not exist."""
        if name not in self._tables:
            try:
                self._tables[name] = self._db.open_table(name)
            except ValueError:  # it is not there, or not yet: another thread is making it
                self._create(name)
                self._tables[name] = self._db.open_table(name)
        return self._tables[name]

    def overwrite(self, name: str, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        """Replace a whole table from a stream, in one commit; an interruption changes nothing."""
        with self.writing():
            reader = pa.RecordBatchReader.from_batches(schema, batches)
            table = self._db.create_table(name, data=reader, schema=schema, mode="overwrite")
            _index(table, name)
        self._tables.pop(name, None)

    def compact(self) -> tuple[int, int]:
        """Merge small files, drop old versions, bring indexes up to date; bytes before, after."""
        before = self.size()
        keep = timedelta(hours=settings().store.keep_versions_hours)
        with self.writing():
            for name in self._db.list_tables().tables:
                self.table(name).optimize(cleanup_older_than=keep)
        return before, self.size()

    def size(self) -> int:
        """Return the bytes of the folder."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writers' lock; refuse where the disk is nearly full."""
        ensure_room(self.path)
        try:
            with self._lock.acquire(timeout=settings().store.lock_seconds):
                yield
        except Timeout:
            raise StoreBusy(
                f"Another process has been writing to {self.path} for "
                f"{settings().store.lock_seconds:.0f} s.",
                "Wait for it, or see `thirdshift status`.",
            ) from None

    def _create(self, name: str) -> None:
        with self.writing():
            table = self._db.create_table(name, schema=schema_of(name), exist_ok=True)
            if not table.list_indices():
                _index(table, name)


def quoted(*values: str) -> str:
    """Return values as a SQL list: ('a', 'b')."""
    return "(" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + ")"


@cache
def _open(path: Path) -> Store:
    return Store(path)


def store() -> Store:
    """Return the store of the settings, opened once per process."""
    return _open(settings().store_path)


def _index(table: Any, name: str) -> None:
    for column, config in indexes_of(name).items():
        table.create_index(column, config=config)


def _merge(table: Any, batch: pa.Table, replacing: str | None) -> None:
    merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
    if replacing is not None:
        merge = merge.when_not_matched_by_source_delete(replacing)
    merge.execute(batch)


def _persist(commit: Callable[[], T]) -> T:
    for attempt in range(1, _ATTEMPTS):
        try:
            return commit()
        except (RuntimeError, OSError) as error:
            if "conflict" not in str(error).lower():
                raise
            logging.getLogger(__name__).info("Commit %d collided: %s", attempt, error)
            time.sleep(0.05 * 2**attempt)
    return commit()
