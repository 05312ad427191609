"""Records of what the owner teaches: turns, verdicts on them, examples, preferences, data sets."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_serializer, model_validator

from thirdshift.records import Record, now

Rating = Literal["good", "bad", "correct"]
Origin = Literal["answer", "correction", "choice", "edit", "written"]
Kind = Literal["examples", "preferences"]
Form = Literal["messages", "completion"]  # of an example in a data set
Method = Literal["lora", "dpo"]  # fine-tuning on what was accepted, or on what was preferred
Split = Literal["train", "valid", "test"]

TAUGHT_BY: Mapping[Method, Kind] = {"lora": "examples", "dpo": "preferences"}


class Turn(Record):
    """A question and its answer, as they were given; verdicts refer to it by id."""

    id: str
    question: str
    answer: str
    chunk_ids: list[str] = Field(default_factory=list)  # the sources, best first
    tier: str  # as in Answer
    model: str = ""  # who worded it; empty where passages were quoted or nothing was found
    adapter: str = ""
    asked_at: datetime = Field(default_factory=now)


class Feedback(Record):
    """The owner's verdict on a turn; a later one on the same turn replaces it."""

    id: str
    turn_id: str
    verdict: Rating
    correction: str = ""  # what would have been right
    question: str
    answer: str
    chunk_ids: list[str] = Field(default_factory=list)
    tier: str = ""
    model: str = ""
    adapter: str = ""
    created_at: datetime = Field(default_factory=now)


class Example(Record):
    """A prompt and the completion the owner accepted, scrubbed."""

    id: str
    turn_id: str = ""  # empty where it did not come from a turn
    origin: Origin
    prompt: str
    completion: str
    chunk_ids: list[str] = Field(default_factory=list)
    model: str = ""
    adapter: str = ""
    created_at: datetime = Field(default_factory=now)


class Preference(Record):
    """Two completions of a prompt, of which the owner chose one, scrubbed."""

    id: str
    turn_id: str = ""
    origin: Origin
    prompt: str
    chosen: str
    rejected: str
    chunk_ids: list[str] = Field(default_factory=list)
    model: str = ""
    adapter: str = ""
    created_at: datetime = Field(default_factory=now)


class Change(Record):
    """One thing a refinement changed, with what it was before.

    `of` is what changed: a chunk's `weight` or `status`, or a `correction` (its document's id
    stands for the chunk's, its text for the value; empty: there is none).
    """

    of: Literal["weight", "status", "correction"]
    chunk_id: str
    before: str
    after: str
    question: str = ""  # of a correction
    corrects: list[str] = Field(default_factory=list)  # chunks that a correction takes the place of


class Refinement(Record):
    """What one night changed in memory, on which verdicts; it can be undone."""

    id: str
    changes: list[Change]
    verdicts: list[str]  # as tasks.feedback.refinement names them
    undone: bool = False
    at: datetime = Field(default_factory=now)


class Rejected(Record):
    """A row that a data set leaves out, and why."""

    id: str
    reason: str


class CuratedRow(Record):
    """A row's place in a data set; kept as `[id, split, cluster, tokens]`.

    `cluster` numbers the rows that are about the same thing; −1 is replay, of no cluster.
    """

    id: str
    split: Split
    cluster: int
    tokens: int

    @model_validator(mode="before")
    @classmethod
    def _by_position(cls, row: Any) -> Any:
        return dict(zip(cls.model_fields, row, strict=True)) if isinstance(row, list) else row

    @model_serializer
    def _as_list(self) -> list[str | int]:
        return [self.id, self.split, self.cluster, self.tokens]


class CurationSettings(Record):
    """By which settings a data set was made; `topic_limit` is the cosine that parts clusters."""

    kind: Kind
    form: Form
    max_tokens: int
    seed: int
    topic_limit: float
    replay_share: float


class DatasetManifest(Record):
    """What a data set was made of: every row, setting and hash. The same rows, the same bytes."""

    settings: CurationSettings
    counts: dict[str, int]  # rows by split, and how many were left out
    replay: int  # rows against forgetting, of all in `train`
    sha256: dict[Split, str]  # of each split's file
    rows: list[CuratedRow]
    left_out: list[Rejected]


class Dataset(Record):
    """A data set to train on: its folder, and the manifest that lies in it."""

    folder: Path
    manifest: DatasetManifest

    @property
    def left_out(self) -> list[Rejected]:
        """Which rows were left out, and why."""
        return self.manifest.left_out
