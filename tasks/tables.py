"""The tables of the store: each row's columns, and what they hold."""

import pyarrow as pa

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
}


def chunks_schema(model: str, dim: int) -> pa.Schema:
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
