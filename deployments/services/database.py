"""Prefect's SQLite file: one writer at a time, and what its cleaning left free given back.

Prefect deletes old runs and events by age (`deployments.environment`), and SQLite uses the room
again but keeps it. So the server, before it starts, writes the file anew when much of it is
free; nobody else has it open then.
"""

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from contextvars import ContextVar
from pathlib import Path
from typing import Any

FREE = 0.3  # of the file, at least
WORTH = 50e6  # bytes, at least

log = logging.getLogger("prefect.server.database")


def shrink(file: Path, worth: float = WORTH) -> int:
    """Write the file anew if it pays, and return the bytes that were won; 0: it did not pay.

    A database in use, a broken one or a full disk are left as they are, with a warning.
    """
    if not file.exists():
        return 0
    before = file.stat().st_size
    try:
        with closing(sqlite3.connect(file, timeout=1)) as database:
            ((pages,),) = database.execute("PRAGMA page_count")
            ((free,),) = database.execute("PRAGMA freelist_count")
            if free * before < worth * pages or free < FREE * pages:
                return 0
            if shutil.disk_usage(file.parent).free < 2 * before:
                log.warning("%s could be smaller; the disk is too full to write it anew.", file)
                return 0
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        log.warning("%s keeps its size: %s", file, error)
    return max(0, before - file.stat().st_size)


def take_turns() -> None:
    """Let Prefect's write transactions come one after the other, in their order.

    SQLite has one writer. Prefect begins most transactions as readers, and SQLite refuses those
    that would write after another has (a 503, and the client waits); the others poll for the
    lock in steps of 0.1 s, in no order. A transaction within another is let through.
    """
    from prefect.server.database.configurations import AioSqliteConfiguration

    begin = AioSqliteConfiguration.begin_transaction
    turn, inside = asyncio.Lock(), ContextVar("inside", default=False)

    @asynccontextmanager
    async def at_once(self: Any, session: Any) -> AsyncGenerator[Any, None]:
        token = inside.set(True)
        try:
            async with begin(self, session, with_for_update=True) as transaction:
                yield transaction
        finally:
            inside.reset(token)

    @asynccontextmanager
    async def in_turn(
        self: Any, session: Any, with_for_update: bool = False
    ) -> AsyncGenerator[Any, None]:
        if inside.get():
            async with begin(self, session, with_for_update) as transaction:
                yield transaction
        else:
            async with turn, at_once(self, session) as transaction:
                yield transaction

    AioSqliteConfiguration.begin_transaction = in_turn  # type: ignore[method-assign]
