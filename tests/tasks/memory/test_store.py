"""The store: one lock, atomic replacement, room on disk, compaction, the index above a size."""

import multiprocessing
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from tasks.memory import chunks, maintenance
from tasks.memory.store import (
    Row,
    Store,
    quoted,
    store,
)
from thirdshift.errors import DiskFull, StoreBusy
from thirdshift.settings import settings


def _document(name: str, **values: object) -> Row:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    row = {"id": name, "uri": name, "title": name, "kind": "text", "content_hash": "x", "size": 1}
    row |= {"provenance": "owner", "status": "active", "modified_at": moment, "created_at": moment}
    return row | values


def _chunk(name: str, document: str = "d", vector: object = None) -> Row:
    made = np.ones(384, "float32") / 384**0.5 if vector is None else vector
    row = {"id": name, "document_id": document, "uri": document, "title": "t", "text": name}
    row |= {"start": 0, "end": 1, "content_hash": name, "provenance": "owner", "weight": 1.0}
    row |= {"status": "active", "embedding_model": "m", "vector": made}
    return row | {"created_at": datetime(2026, 1, 1, tzinfo=UTC)}


def test_a_second_upsert_of_an_id_replaces_the_first() -> None:
    store().upsert("documents", [_document("a"), _document("b")])
    store().upsert("documents", [_document("a", title="new")])

    assert store().count("documents") == 2
    assert store().rows("documents", "id = 'a'")["title"].to_pylist() == ["new"]


def test_replacing_takes_away_what_is_not_there_any_more_in_the_same_commit() -> None:
    store().upsert("chunks", [_chunk("1"), _chunk("2"), _chunk("3", "other")])
    versions = len(store().table("chunks").list_versions())

    store().upsert("chunks", [_chunk("2"), _chunk("4")], replacing="document_id = 'd'")

    assert set(store().rows("chunks")["id"].to_pylist()) == {"2", "3", "4"}
    assert len(store().table("chunks").list_versions()) == versions + 1


def test_names_with_quotes_are_only_names() -> None:
    store().upsert("documents", [_document("it's"), _document("b")])

    store().delete("documents", f"id IN {quoted(chr(39).join(['it', 's']))}")

    assert store().rows("documents")["id"].to_pylist() == ["b"]


def test_a_writer_that_waits_too_long_is_told_who_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    store().upsert("documents", [_document("a")])
    monkeypatch.setenv("THIRDSHIFT_STORE__LOCK_SECONDS", "0.2")
    settings.cache_clear()

    with (
        FileLock(settings().store_path.with_suffix(".lock")),
        pytest.raises(StoreBusy, match="thirdshift status"),
    ):
        store().upsert("documents", [_document("b")])


def test_nothing_is_written_when_the_disk_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    store().upsert("documents", [_document("a")])
    monkeypatch.setenv("THIRDSHIFT_MIN_FREE_GB", "1000000")
    settings.cache_clear()

    with pytest.raises(DiskFull, match="min_free_gb"):
        store().upsert("documents", [_document("b")])
    assert store().count("documents") == 1


def _write(home: str, name: str) -> None:
    os.environ["THIRDSHIFT_HOME"] = home
    settings.cache_clear()
    for number in range(15):
        store().upsert("documents", [_document(f"{name}{number}")])


@pytest.mark.slow
def test_two_processes_write_at_once_and_no_row_is_lost(home: Path) -> None:
    store().upsert("documents", [_document("first")])
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(str(home), name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0, 0]
    assert store().count("documents") == 31


def test_compaction_keeps_every_row_and_covers_every_chunk_with_the_index() -> None:
    for number in range(6):
        store().upsert("chunks", [_chunk(str(number))])
    assert chunks.unindexed() > 0

    maintenance.compact()

    assert chunks.unindexed() == 0
    assert store().count("chunks") == 6


@pytest.mark.slow
def test_many_vectors_get_an_index_that_finds_what_exact_search_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THIRDSHIFT_STORE__INDEX_ABOVE", "1000")
    settings.cache_clear()
    random = np.random.default_rng(0)
    vectors = random.normal(size=(2000, 384)).astype("float32")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store().upsert("chunks", [_chunk(str(n), vector=v) for n, v in enumerate(vectors)])

    maintenance.compact()

    assert any("vector" in index.columns for index in store().table("chunks").list_indices())
    near = chunks.nearest(vectors[7], 1, "status = 'active'")
    assert near["id"].to_pylist() == ["7"]


def test_a_store_opened_anew_sees_what_was_written() -> None:
    store().upsert("documents", [_document("a")])

    assert Store(settings().store_path).count("documents") == 1


def test_a_table_that_another_thread_has_begun_to_make_is_made_and_opened(tmp_path: Path) -> None:
    fresh = Store(tmp_path / "store")
    (fresh.path / "sources.lance").mkdir()  # it is listed, and cannot be opened yet

    assert fresh.count("sources") == 0
