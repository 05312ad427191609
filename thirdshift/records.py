"""Records that cross a room: frozen, typed, named as the field names them."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Provenance = Literal["owner", "connected", "untrusted_web", "derived"]
Status = Literal["active", "flagged", "superseded", "deleted"]
Span = tuple[int, int]


def content_hash(*parts: str | bytes) -> str:
    """Return a 32-character hash of the parts; equal parts give equal ids."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:32]


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class Record(BaseModel):
    """Base of all records: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Extract(Record):
    """What an extractor read out of one file.

    `text` is what spans count in: characters of the decoded file for plain text, Markdown
    and source code, of the extracted text for everything else.
    """

    text: str
    title: str
    kind: str  # "pdf", "html", "markdown", "text", "docx", "mail", "code"
    language: str = ""  # programming language of source code, e.g. "python"


class Piece(Record):
    """A stretch of a text, `text == whole[span[0]:span[1]]`."""

    text: str
    span: Span


class Document(Record):
    """One thing memory knows: a file, a mail, a note, a report."""

    id: str
    uri: str  # absolute path (with `#n` for the n-th mail of an mbox), or a name we gave
    title: str
    kind: str
    content_hash: str
    size: int  # bytes
    provenance: Provenance
    status: Status = "active"
    modified_at: datetime
    created_at: datetime = Field(default_factory=now)


class Chunk(Record):
    """A retrievable piece of a document."""

    id: str
    document_id: str
    uri: str
    title: str
    text: str
    span: Span
    content_hash: str
    provenance: Provenance
    weight: float = 1.0
    status: Status = "active"
    embedding_model: str
    created_at: datetime = Field(default_factory=now)


class Note(Record):
    """Something to remember that is not a file."""

    text: str
    title: str = ""
    source: str = ""  # what it came from; the same source replaces the earlier note
    provenance: Provenance = "owner"


class Hit(Record):
    """A recalled chunk. `score` is in 0..1 and falls along the list."""

    chunk_id: str
    document: str
    title: str
    text: str
    score: float
    span: Span
    provenance: Provenance


class Answer(Record):
    """What `ask` says. `tier` is who wrote it: a model's tier, `quote`, or `none` (refused).

    `id` is the turn's, to give a verdict on; empty where no turns are kept.
    """

    answer: str
    sources: list[Hit]
    tier: str
    timings_ms: dict[str, float]
    id: str = ""


class Ingested(Record):
    """One file's fate in an ingestion."""

    path: Path
    result: Literal["added", "changed", "unchanged", "deleted", "rejected"]
    reason: str = ""
    chunks: int = 0


class Event(Record):
    """One thing that happened, for the record."""

    name: str
    at: datetime = Field(default_factory=now)
    payload: dict[str, Any] = Field(default_factory=dict)


class Sensed(Record):
    """What a sensor of this machine says, or why it says nothing; never an invented number."""

    sensor: str
    value: float | str | None = None
    unit: str = ""
    source: str = ""  # the command, file or library it was read from
    why: str = ""  # the reason where there is no value
