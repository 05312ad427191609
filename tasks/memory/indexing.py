"""Indexing: what is remembered, and every change of what is."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tasks.memory.schemas import chunks_schema
from tasks.memory.store import Row, quoted, store
from tasks.models.embedding import embedder
from tasks.text.splitting import split
from thirdshift.records import Chunk, Document, Extract, Note, Piece, content_hash, now


def remember(records: Iterable[Note | Mapping[str, Any] | str]) -> list[str]:
    """Store notes and return a document id for each, in order.

    A note may be a Note, a mapping with its fields, or plain text. The same text is stored
    once; a note with the same non-empty `source` replaces the earlier one.
    """
    notes = [_note(record) for record in records]
    pairs = [_document(note) for note in notes]
    put([(document, split(extract)) for document, extract in pairs])
    return [document.id for document, _ in pairs]


def forget(ids: Sequence[str]) -> int:
    """Delete documents or chunks by id, at once and for good; return how many chunks went."""
    listed = quoted(*ids)
    where = f"id IN {listed} OR document_id IN {listed}"
    gone = store().count("chunks", where)
    store().delete("chunks", where)
    store().delete("documents", f"id IN {listed}")
    return gone


def note_id(source: str) -> str:
    """Return the document id of the note with this source (of one without: its text)."""
    return content_hash("note", source)


def put(readings: Sequence[tuple[Document, Sequence[Piece]]]) -> int:
    """Store documents with their pieces; return the number of chunks.

    A document's chunks change in one commit, its row follows: whoever is interrupted between
    the two finds the old row and does the document again. Pieces that a document had before
    keep their vector, weight and status.
    """
    if not readings:
        return 0
    chunks = [chunk for document, pieces in readings for chunk in _chunks(document, pieces)]
    ids = quoted(*(document.id for document, _ in readings))
    store().upsert("chunks", _rows(chunks, _known(ids)), replacing=f"document_id IN {ids}")
    store().upsert("documents", [document.model_dump() for document, _ in readings])
    return len(chunks)


def reindex(batch: int = 256) -> int:
    """Make all vectors anew with the embedding model of the settings; return their number.

    The old chunks stay in use until all the new ones are there.
    """
    old = store().table("chunks")
    schema = chunks_schema(embedder().name, embedder().dim)
    total = int(old.count_rows())
    store().replace_chunks(_reembedded(old, schema, batch), schema)
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
    columns = ["id", "vector", "weight", "status", "created_at"]
    found = store().rows("chunks", f"document_id IN {document_ids}", columns).to_pylist()
    for row in found:
        row["status"] = "active" if row["status"] == "deleted" else row["status"]
    return {row["id"]: row for row in found}


def _rows(chunks: Sequence[Chunk], known: Mapping[str, Row]) -> list[Row]:
    fresh = [chunk for chunk in chunks if chunk.id not in known]
    vectors = embedder().passage([_passage(chunk.title, chunk.text) for chunk in fresh])
    made = {chunk.id: {"vector": vector} for chunk, vector in zip(fresh, vectors, strict=True)}
    rows = []
    for chunk in chunks:
        row = chunk.model_dump(exclude={"span"})
        row |= {"start": chunk.span[0], "end": chunk.span[1]}
        rows.append(row | (known.get(chunk.id) or made[chunk.id]))
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
