"""The tables of the store: each row's columns, what they hold, and by which they are indexed."""

from typing import TYPE_CHECKING

import pyarrow as pa

from tasks.models.embedding import embedder

if TYPE_CHECKING:
    from lancedb.index import FTS, Bitmap

TIME = pa.timestamp("us", tz="UTC")
MODEL_KEY = b"embedding_model"  # of the metadata of `chunks`

# What an answer stood on and who worded it.
_BOUND_TO = [("chunk_ids", pa.list_(pa.string())), ("model", pa.string()), ("adapter", pa.string())]

# `chunks` is not here: its vectors are as long as the embedding model makes them.
TABLES = {
    "documents": pa.schema(
        [
            ("id", pa.string()),
            ("uri", pa.string()),
            ("title", pa.string()),
            ("kind", pa.string()),
            ("content_hash", pa.string()),
            ("size", pa.int64()),
            ("provenance", pa.string()),
            ("status", pa.string()),
            ("modified_at", TIME),
            ("created_at", TIME),
        ]
    ),
    "adapters": pa.schema(
        [
            ("id", pa.string()),  # series:vN
            ("series", pa.string()),
            ("number", pa.int64()),
            ("state", pa.string()),
            ("reason", pa.string()),
            ("runtime", pa.string()),
            ("base", pa.string()),
            ("base_content", pa.string()),  # SHA-256 of the GGUF it was trained on
            ("manifest", pa.string()),  # JSON: data, settings and figures of its training
            ("created_at", TIME),
            ("changed_at", TIME),
        ]
    ),
    "outcomes": pa.schema(
        [
            ("id", pa.string()),
            ("flow", pa.string()),
            ("run_name", pa.string()),
            ("started_at", TIME),
            ("seconds", pa.float64()),
            ("joules", pa.float64()),
            ("outcome", pa.string()),  # JSON of thirdshift.outcome.Outcome
            ("recorded_at", TIME),
        ]
    ),
    "turns": pa.schema(
        [
            ("id", pa.string()),
            ("question", pa.string()),
            ("answer", pa.string()),
            *_BOUND_TO,
            ("tier", pa.string()),
            ("asked_at", TIME),
        ]
    ),
    "feedback": pa.schema(
        [
            ("id", pa.string()),
            ("turn_id", pa.string()),
            ("verdict", pa.string()),
            ("correction", pa.string()),
            ("question", pa.string()),
            ("answer", pa.string()),
            *_BOUND_TO,
            ("tier", pa.string()),
            ("created_at", TIME),
        ]
    ),
    "examples": pa.schema(
        [
            ("id", pa.string()),
            ("turn_id", pa.string()),
            ("origin", pa.string()),
            ("prompt", pa.string()),
            ("completion", pa.string()),
            *_BOUND_TO,
            ("created_at", TIME),
        ]
    ),
    "corrections": pa.schema(
        [
            ("id", pa.string()),  # of the document that says it
            ("question", pa.string()),
            ("text", pa.string()),
            ("corrects", pa.list_(pa.string())),  # chunks it takes the place of, for the question
        ]
    ),
    "refinements": pa.schema(
        [
            ("id", pa.string()),
            ("changes", pa.string()),  # JSON of thirdshift.learning.Change
            ("verdicts", pa.list_(pa.string())),
            ("undone", pa.bool_()),
            ("at", TIME),
        ]
    ),
    "preferences": pa.schema(
        [
            ("id", pa.string()),
            ("turn_id", pa.string()),
            ("origin", pa.string()),
            ("prompt", pa.string()),
            ("chosen", pa.string()),
            ("rejected", pa.string()),
            *_BOUND_TO,
            ("created_at", TIME),
        ]
    ),
    # An entry of a feed that was judged, and why it was taken or left.
    "stories": pa.schema(
        [
            ("id", pa.string()),
            ("source", pa.string()),
            ("url", pa.string()),
            ("title", pa.string()),
            ("summary", pa.string()),
            ("published_at", TIME),
            ("mirror", pa.string()),
            ("decision", pa.string()),
            ("reason", pa.string()),
            ("score", pa.float64()),
            ("same_as", pa.string()),
            ("seen_at", TIME),
            ("told_at", TIME),  # when research was asked to begin; null: not yet
            ("embedding_model", pa.string()),
            ("vector", pa.list_(pa.float32())),
        ]
    ),
    # What a watched source said last, and when it may be asked again.
    "sources": pa.schema(
        [
            ("id", pa.string()),
            ("name", pa.string()),
            ("etag", pa.string()),
            ("modified", pa.string()),
            ("mark", pa.string()),  # of a page: its text; of X: the newest post's id
            ("checked_at", TIME),
            ("next_try", TIME),
            ("failures", pa.int64()),
            ("broken_since", TIME),
            ("reason", pa.string()),
        ]
    ),
    "topics": pa.schema(
        [
            ("id", pa.string()),  # the story's
            ("title", pa.string()),
            ("topic", pa.string()),  # JSON of thirdshift.newsroom.Topic
            ("researched_at", TIME),
        ]
    ),
    "drafts": pa.schema(
        [
            ("id", pa.string()),
            ("topic", pa.string()),
            ("status", pa.string()),
            ("title", pa.string()),
            ("draft", pa.string()),  # JSON of thirdshift.newsroom.Draft
            ("created_at", TIME),
        ]
    ),
    "analyses": pa.schema(
        [
            ("id", pa.string()),  # of a report: analysis and fingerprint of its data
            ("analysis", pa.string()),
            ("title", pa.string()),
            ("fingerprint", pa.string()),
            ("source", pa.string()),
            ("rows", pa.int64()),
            ("until", pa.string()),  # the last step of time in the data
            ("findings", pa.string()),  # JSON list of thirdshift.findings.Finding
            ("narrative", pa.string()),  # JSON of thirdshift.analysis.Narrative
            ("report", pa.string()),  # path of the page
            ("at", TIME),
        ]
    ),
}


def schema_of(table: str) -> pa.Schema:
    """Return the schema of a table; that of `chunks` is for the embedding model of the settings."""
    return TABLES[table] if table in TABLES else _chunks(embedder().name, embedder().dim)


def indexes_of(table: str) -> "dict[str, FTS | Bitmap]":
    """Return the indexes, by column, that a table has from the beginning."""
    from lancedb.index import FTS, Bitmap

    if table != "chunks":
        return {}
    # The default tokenizer finds no Japanese; ICU knows words in both languages.
    return {"text": FTS(base_tokenizer="icu", stem=True), "status": Bitmap()}


def _chunks(model: str, dim: int) -> pa.Schema:
    """Return the schema of `chunks` for vectors of `dim` made by `model`."""
    fields = [
        ("id", pa.string()),
        ("document_id", pa.string()),
        ("uri", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("content_hash", pa.string()),
        ("provenance", pa.string()),
        ("weight", pa.float32()),
        ("status", pa.string()),
        ("embedding_model", pa.string()),
        ("created_at", TIME),
        ("vector", pa.list_(pa.float32(), dim)),
    ]
    return pa.schema(fields, metadata={MODEL_KEY: model.encode()})
