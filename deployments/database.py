"""Prefect's SQLite file, given back to the disk what its cleaning left free.

Prefect deletes old runs and events by age (`deployments.environment`), and SQLite uses the room
again but keeps it. So the server, before it starts, writes the file anew when much of it is
free; nobody else has it open then.
"""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

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
