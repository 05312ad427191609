"""Records of what the owner teaches: turns, verdicts on them, examples and preferences."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from thirdshift.records import Record, now

Verdict = Literal["good", "bad", "correct"]
Origin = Literal["answer", "correction", "choice", "edit", "written"]


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
    verdict: Verdict
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


class Dataset(Record):
    """A data set to train on: its folder, what the manifest in it says, what was left out."""

    folder: Path
    manifest: dict[str, Any]
    left_out: list[Rejected]
