"""Indexing: what is remembered, and every change of what is.

Nothing else writes to the tables `documents` and `chunks`: only here it is known in which order
the two change, and what each status means.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from tasks.memory.schemas import schema_of
from tasks.memory.store import Row, quoted, store
from tasks.models.embedding import embedder
from tasks.text import splitting
from thirdshift.records import Chunk, Document, Extract, Note, Piece, content_hash, now


def remember(records: Iterable[Note | Mapping[str, Any] | str]) -> list[str]:
    """Store notes and return a document id for each, in order.

    A note may be a Note, a mapping with its fields, or plain text. The same text is stored
    once; a note with the same non-empty `source` replaces the earlier one.
    """
    notes = [_note(record) for record in records]
    pairs = [_document(note) for note in notes]
    put([(document, splitting.split(extract)) for document, extract in pairs])
    return [document.id for document, _ in pairs]


def forget(ids: Sequence[str]) -> int:
    """Delete documents or chunks by id, at once and for good; return how many chunks went."""
    if not ids:
        return 0
    listed = quoted(*ids)
    where = f"id IN {listed} OR document_id IN {listed}"
    gone = store().count("chunks", where)
    store().delete("chunks", where)
    store().delete("documents", f"id IN {listed}")
    return gone


def note_id(source: str) -> str:
    """Return the document id of the note with this source (of one without: its text)."""
    return content_hash("note", source)


def put(documents: Sequence[tuple[Document, Sequence[Piece]]]) -> int:
    """Store documents with their pieces; return the number of chunks.

    A document's chunks change in one commit, its row follows: whoever is interrupted between
    the two finds the old row and does the document again. Pieces that a document had before
    keep their vector, weight and status.
    """
    if not documents:
        return 0
    chunks = [chunk for document, pieces in documents for chunk in _chunks(document, pieces)]
    ids = quoted(*(document.id for document, _ in documents))
    store().upsert("chunks", _rows(chunks, _known(ids)), replacing=f"document_id IN {ids}")
    store().upsert("documents", [document.model_dump() for document, _ in documents])
    return len(chunks)


def touch(document_ids: Sequence[str], modified_at: datetime) -> None:
    """Note the new time of documents whose content is as before."""
    where = f"id IN {quoted(*document_ids)}"
    store().update("documents", where, modified_at=modified_at, status="active")


def mark_deleted(document_ids: Sequence[str]) -> None:
    """Mark documents and their chunks deleted: not recalled any more, and kept for a while.

    As in `put` the chunks come first: whoever is interrupted finds the documents as they were.
    """
    listed = quoted(*document_ids)
    where = f"document_id IN {listed} AND status IN ('active', 'flagged')"
    store().update("chunks", where, status="deleted")
    store().update("documents", f"id IN {listed}", status="deleted", modified_at=now())


def restore(document_ids: Sequence[str], modified_at: datetime) -> None:
    """Take back that documents and their chunks are marked deleted."""
    where = f"document_id IN {quoted(*document_ids)} AND status = 'deleted'"
    store().update("chunks", where, status="active")
    touch(document_ids, modified_at)


def weigh(document_id: str, weight: float) -> None:
    """Give all chunks of a document a weight: what their score is weighed with, 1 by default."""
    store().update("chunks", f"document_id IN {quoted(document_id)}", weight=weight)


def revise(changes: Sequence[tuple[str, str, float | str]]) -> None:
    """Change chunks in one commit: (chunk id, `weight` or `status`, its value), in this order.

    Chunks that are gone are left out.
    """
    if not changes:
        return
    ids = quoted(*(chunk for chunk, _, _ in changes))
    with store().writing():  # from reading to writing nobody else may change the rows
        rows = {row["id"]: row for row in store().rows("chunks", f"id IN {ids}").to_pylist()}
        for chunk, field, value in changes:
            if row := rows.get(chunk):
                row[field] = value
        store().upsert("chunks", list(rows.values()))


def reindex(batch: int = 256) -> int:
    """Make all vectors anew with the embedding model of the settings; return their number.

    The old chunks stay in use until all the new ones are there.
    """
    old, schema = store().table("chunks"), schema_of("chunks")
    total = int(old.count_rows())
    store().overwrite("chunks", _reembedded(old, schema, batch), schema)
    return total


def _note(record: Note | Mapping[str, Any] | str) -> Note:
    if isinstance(record, str):
        return Note(text=record)
    return record if isinstance(record, Note) else Note(**record)


def _document(note: Note) -> tuple[Document, Extract]:
    title = note.title or note.text.strip().split("\n", 1)[0][:80]
    extract = Extract(text=note.text, title=title, kind="markdown")
    document = Document(
        id=note_id(note.source or note.text),
        uri=note.source or "note",
        title=title,
        kind="note",
        content_hash=content_hash(note.text),
        size=len(note.text.encode()),
        provenance=note.provenance,
        modified_at=now(),
    )
    return document, extract


def _chunks(document: Document, pieces: Sequence[Piece]) -> list[Chunk]:
    seen: Counter[str] = Counter()
    chunks = []
    for piece in pieces:
        seen[piece.text] += 1
        chunks.append(_chunk(document, piece, seen[piece.text]))
    return chunks


def _chunk(document: Document, piece: Piece, nth: int) -> Chunk:
    return Chunk(
        id=content_hash(document.id, piece.text, str(nth)),
        document_id=document.id,
        uri=document.uri,
        title=document.title,
        text=piece.text,
        span=piece.span,
        content_hash=content_hash(piece.text),
        provenance=document.provenance,
        embedding_model=embedder().name,
    )


def _known(document_ids: str) -> dict[str, Row]:
    """Return what the documents' chunks have that must outlast a new reading, by id."""
    columns = ["id", "vector", "weight", "status", "created_at"]
    rows = store().rows("chunks", f"document_id IN {document_ids}", columns).to_pylist()
    for row in rows:
        row["status"] = "active" if row["status"] == "deleted" else row["status"]
    return {row["id"]: row for row in rows}


def _rows(chunks: Sequence[Chunk], known: Mapping[str, Row]) -> list[Row]:
    fresh = [chunk for chunk in chunks if chunk.id not in known]
    embedded = embedder().passage([_passage(chunk.title, chunk.text) for chunk in fresh])
    vectors = {chunk.id: vector for chunk, vector in zip(fresh, embedded, strict=True)}
    rows = []
    for chunk in chunks:
        row = chunk.model_dump(exclude={"span"})
        row |= {"start": chunk.span[0], "end": chunk.span[1]}
        rows.append(row | (known.get(chunk.id) or {"vector": vectors[chunk.id]}))
    return rows


def _passage(title: str, text: str) -> str:
    """Return what is embedded: a chunk says little without the title it stands under."""
    return text if title in text else f"{title}\n{text}"


def _reembedded(table: Any, schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
    columns = [name for name in schema.names if name not in ("vector", "embedding_model")]
    for batch in table.search().select(columns).limit(None).to_batches(size):
        rows = batch.to_pylist()
        vectors = embedder().passage([_passage(row["title"], row["text"]) for row in rows])
        for row, vector in zip(rows, vectors, strict=True):
            row |= {"vector": vector, "embedding_model": embedder().name}
        yield pa.RecordBatch.from_pylist(rows, schema=schema)
