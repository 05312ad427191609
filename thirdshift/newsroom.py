"""Records of the newsroom: sources, stories, passages, drafts and the owner's review."""

from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator

from thirdshift.records import Record, content_hash, now

SourceKind = Literal["feed", "page", "github", "x"]
Decision = Literal["matched", "unmatched", "duplicate", "capped", "old"]
DraftKind = Literal["post", "summary", "report", "newsletter"]
DraftStatus = Literal["pending", "approved", "rejected"]


class Source(Record):
    """One thing to watch, as the owner lists it; the head of sources.yaml explains the keys."""

    name: str = Field(min_length=1)
    kind: SourceKind = "feed"
    url: str = ""
    query: str = ""
    keywords: tuple[str, ...] = ()
    all: bool = False
    mirror: str = ""

    @model_validator(mode="after")
    def _has_an_address(self) -> "Source":
        if self.kind == "x" and not self.query:
            raise ValueError("kind x needs a query, e.g. query: from:nasa")
        if self.kind != "x" and not self.url:
            raise ValueError(f"kind {self.kind} needs a url")
        return self

    @property
    def id(self) -> str:
        """The same place is the same source, whatever it is called."""
        return content_hash("source", self.kind, self.url or self.query)


class Watchlist(Record):
    """What is watched, and what the owner wants to hear of."""

    keywords: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


class SourceState(Record):
    """What a source said last, and when it may be asked again."""

    id: str
    name: str
    etag: str = ""
    modified: str = ""
    mark: str = ""  # of a page: its text; of X: the newest post's id
    checked_at: datetime | None = None
    next_try: datetime | None = None
    failures: int = 0
    broken_since: datetime | None = None
    reason: str = ""


class Entry(Record):
    """What a source says: one item of a feed, one release, one change of a page."""

    source: str  # its name
    url: str
    title: str
    summary: str  # plain text, at most a few thousand characters
    published_at: datetime | None = None
    mirror: str = ""  # the source's folder of saved pages

    @property
    def id(self) -> str:
        """An entry that is told again under its address and title is the same."""
        return content_hash("story", self.url, self.title)


class Story(Record):
    """An entry that was judged, and why it was taken or left."""

    id: str
    source: str
    url: str
    title: str
    summary: str
    published_at: datetime | None
    mirror: str = ""
    decision: Decision
    reason: str
    score: float  # likeness to the owner's interests, above 1 where a keyword was found
    same_as: str = ""  # the id of the story that this one repeats
    seen_at: datetime = Field(default_factory=now)


class Passage(Record):
    """A stretch of a page that a claim may cite; `id` is a chunk's in memory."""

    id: str
    url: str
    title: str
    text: str


class Visit(Record):
    """A page that research looked at: what came of it."""

    url: str
    result: Literal["read", "refused", "empty", "failed"]
    reason: str = ""


class Topic(Record):
    """A story with what was found out about it."""

    id: str  # the story's
    title: str
    language: Literal["en", "ja"]
    passages: list[str]  # their ids
    visits: list[Visit]
    researched_at: datetime = Field(default_factory=now)


class Claim(Record):
    """One sentence of a draft, the passages it cites, and whether they say it."""

    text: str
    passages: list[str]  # their ids
    supported: bool = True
    why: str = ""  # the reason where it is not supported


class Part(Record):
    """A section of a draft; the heading may be empty."""

    heading: str
    claims: list[Claim]


class Draft(Record):
    """A text that waits for its owner, or was decided on."""

    id: str
    topic: str
    kind: DraftKind
    language: Literal["en", "ja"]
    title: str
    text: str  # Markdown with [1]-like citations, without the list of sources
    cited: list[Passage]  # [1] is the first
    left_out: list[Claim] = Field(default_factory=list)  # no passage says them
    writer: str  # "specialist", or "extracts" where no model was trusted with words
    status: DraftStatus = "pending"
    run: str = ""  # the suspended run in Prefect
    note: str = ""  # what the owner said of it
    created_at: datetime = Field(default_factory=now)
    decided_at: datetime | None = None
    published: str = ""  # the text as the owner approved it


class Review(Record):
    """What the owner decides. `edit` publishes `text`, or the draft's file as it now is."""

    verdict: Literal["approve", "edit", "reject"] = "approve"
    text: str = ""
    note: str = ""
