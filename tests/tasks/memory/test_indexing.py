"""Indexing: the only module that writes what is remembered, and in which order it does."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks import memory
from tasks.memory import indexing
from tasks.memory.store import Store, store
from tests import floors

WRITES = {"upsert", "update", "delete", "overwrite"}
MEMORY = {"chunks", "documents"}
BENCHES = "deployments.bench."  # they fill stores of their own, in temporary homes
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
NOTE = "The roaster was serviced in March."


def writes(path: Path) -> Iterator[str]:
    """Yield each call that writes to a table of memory, named in it, with its line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            table = node.args[0] if node.args else None
            named = table.value if isinstance(table, ast.Constant) else None
            if node.func.attr in WRITES and named in MEMORY:
                yield f"{node.lineno}: {node.func.attr} {named}"


def test_only_indexing_writes_documents_and_chunks() -> None:
    modules = floors.modules(floors.ROOT)
    writers = [name for name, path in modules.items() if any(writes(path))]

    assert [name for name in writers if not name.startswith(BENCHES)] == ["tasks.memory.indexing"]


def test_a_planted_write_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text('store().rows("chunks")\nstore().delete("chunks", "true")\n')

    assert list(writes(planted)) == ["2: delete chunks"]


def _states(document: str) -> set[str]:
    rows = store().rows("chunks", f"document_id = '{document}'", ["status"])
    rows = rows["status"].to_pylist() + store().rows("documents", None, ["status"])[0].to_pylist()
    return set(rows)


def test_a_document_that_is_marked_deleted_can_be_restored() -> None:
    (document,) = memory.remember([NOTE])

    indexing.mark_deleted([document])
    assert _states(document) == {"deleted"}
    assert memory.recall(NOTE) == []

    indexing.restore([document], MOMENT)
    assert _states(document) == {"active"}
    assert memory.recall(NOTE, 1)[0].text == NOTE


def test_who_is_killed_between_the_two_tables_finds_the_document_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (document,) = memory.remember([NOTE])
    update = Store.update

    def dying(self: Store, name: str, where: str, **values: object) -> None:
        if name == "documents":
            raise KeyboardInterrupt
        update(self, name, where, **values)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Store, "update", dying)
        indexing.mark_deleted([document])

    assert store().count("documents", "status = 'active'") == 1  # so that it is done again
    indexing.mark_deleted([document])
    assert _states(document) == {"deleted"}


def test_revising_leaves_out_what_is_gone_and_makes_one_commit() -> None:
    memory.remember([NOTE, "The shop opens at eight."])
    first, second = (row["id"] for row in store().rows("chunks").to_pylist())
    versions = len(store().table("chunks").list_versions())

    indexing.revise(
        [(first, "weight", 1.2), ("gone", "weight", 0.5), (second, "status", "flagged")]
    )

    rows = {row["id"]: row for row in store().rows("chunks").to_pylist()}
    assert set(rows) == {first, second}
    assert round(rows[first]["weight"], 4) == 1.2
    assert rows[second]["status"] == "flagged"
    assert len(store().table("chunks").list_versions()) == versions + 1


def test_nothing_to_do_is_no_commit() -> None:
    memory.remember([NOTE])
    versions = len(store().table("chunks").list_versions())

    indexing.revise([])
    assert indexing.forget([]) == indexing.put([]) == 0

    assert len(store().table("chunks").list_versions()) == versions
