import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deployments.services.database import shrink


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prefect.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE runs (text)")
        database.executemany("INSERT INTO runs VALUES (?)", [("x" * 4000,)] * 500)
        database.commit()
        database.execute("DELETE FROM runs WHERE rowid > 100")
        database.commit()
    return path


def test_what_cleaning_left_free_is_given_back(file: Path) -> None:
    before = file.stat().st_size

    won = shrink(file, worth=1e6)

    assert won > 0.7 * before
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (100,)
    assert shrink(file, worth=1e6) == 0


def test_little_room_is_not_worth_the_writing(file: Path) -> None:
    assert shrink(file) == 0


def test_a_database_in_use_is_left_alone(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")

        assert shrink(file, worth=1e6) == 0
    assert "keeps its size" in caplog.text


def test_no_database_and_a_broken_one_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_text("not a database, whatever its name says")

    assert shrink(tmp_path / "none.db") == 0
    assert shrink(tmp_path / "broken.db") == 0
