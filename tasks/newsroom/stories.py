"""Near-duplicate detection: stories that were seen, and how one told by many feeds is known."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from tasks.memory.store import Row, quoted, store
from tasks.models.embedding import embedder
from tasks.text.language import folded
from thirdshift.errors import NotFound
from thirdshift.newsroom import Entry, Story
from thirdshift.records import now

_TRACKERS = re.compile(r"utm_\w+|fbclid|gclid|mc_[ce]id|ref|ref_src|cmpid|igshid|spm|yclid")
_NUMBER = re.compile(r"\d+")
_TITLE, _TITLE_MEANS = 90, 0.55  # two titles alike, in texts that mean about the same
_SHINGLES = 0.4  # share of two texts' five-letter stretches that both have
_MEANS, _MEANS_TITLE = 0.86, 55  # two texts that mean the same, under titles not far apart
_STRETCH = 5
_LOOK_AT = 1200  # characters
_SHORT = 80  # characters; shorter texts are too short to compare letter by letter


@dataclass(frozen=True)
class Known:
    """A story with its vector."""

    story: Story
    vector: NDArray[np.float32]


def text_of(entry: Entry | Story) -> str:
    """Return what is compared and embedded."""
    return f"{entry.title}\n{entry.summary[:_LOOK_AT]}"


def canonical(url: str) -> str:
    """Return the address without what does not name the page: trackers, fragments, `www.`, `m.`.

    "http://www.news.example/a/?utm_source=x#top" becomes "https://news.example/a".
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return url
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.").removeprefix("amp.")
    query = [pair for pair in parse_qsl(parts.query) if not _TRACKERS.fullmatch(pair[0])]
    path = parts.path.rstrip("/").removesuffix("/amp").removesuffix("/index.html")
    return urlunsplit(("https", host, path, urlencode(sorted(query)), ""))


def same(
    entry: Entry, vector: NDArray[np.float32], known: Sequence[Known]
) -> tuple[Story, str] | None:
    """Return the known story that the entry tells again, and what shows it."""
    for other in known:
        if why := _sameness(entry, vector, other):
            return other.story, f"{why} as “{other.story.title}” from {other.story.source}."
    return None


def unseen(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that are not among the stories, each once."""
    ids = list(dict.fromkeys(entry.id for entry in entries))
    rows = store().rows("stories", f"id IN {quoted(*ids)}", ["id"]) if ids else None
    seen = set(rows["id"].to_pylist()) if rows is not None else set()
    return [
        entry for entry in {entry.id: entry for entry in entries}.values() if entry.id not in seen
    ]


def recent(since: datetime) -> list[Known]:
    """Return the stories seen since then that told something new, with vectors of this model."""
    judged = "decision IN ('matched', 'unmatched', 'capped')"
    where = f"seen_at >= timestamp '{since.isoformat()}' AND {judged}"
    rows = store().rows("stories", where).to_pylist()
    ours = [row for row in rows if row["embedding_model"] == embedder().name]
    return [Known(_story(row), np.asarray(row["vector"], dtype=np.float32)) for row in ours]


def matched_since(since: datetime) -> int:
    """Return how many stories matched since then."""
    return store().count(
        "stories", f"seen_at >= timestamp '{since.isoformat()}' AND decision = 'matched'"
    )


def keep(judged: Sequence[Story], vectors: NDArray[np.float32]) -> None:
    """Keep the decisions."""
    model = embedder().name
    rows = [
        story.model_dump() | {"vector": vector, "embedding_model": model}
        for story, vector in zip(judged, vectors, strict=True)
    ]
    store().upsert("stories", rows)


def keep_old(entries: Sequence[Entry]) -> None:
    """Keep what a source already said when it was seen for the first time: it is no news."""
    why = "It was there before the source was watched."
    fields = {"decision": "old", "reason": why, "score": 0.0}
    olds = [Story(**entry.model_dump(), id=entry.id, **fields) for entry in unseen(entries)]
    empty = {"vector": None, "embedding_model": ""}
    store().upsert("stories", [story.model_dump() | empty for story in olds])


def untold() -> list[Story]:
    """Return the stories that matched and that research was not asked to follow yet."""
    rows = store().rows("stories", "decision = 'matched' AND told_at IS NULL").to_pylist()
    return sorted(map(_story, rows), key=lambda story: -story.score)


def recent_matches(days: float = 2) -> list[Story]:
    """Return the stories taken in the last days, the best first."""
    since = now() - timedelta(days=days)
    taken = [story for story in listed(since) if story.decision == "matched"]
    return sorted(taken, key=lambda story: -story.score)


def mark_told(story_id: str) -> None:
    """Note that research was asked to follow a story."""
    store().update("stories", f"id IN {quoted(story_id)}", told_at=now())


def listed(since: datetime) -> list[Story]:
    """Return the stories seen since then, newest first."""
    rows = store().rows("stories", f"seen_at >= timestamp '{since.isoformat()}'").to_pylist()
    return sorted(map(_story, rows), key=lambda story: story.seen_at, reverse=True)


def find(story_id: str) -> Story:
    """Return the story, or raise NotFound."""
    rows = store().rows("stories", f"id IN {quoted(story_id)}").to_pylist()
    if not rows:
        raise NotFound(
            f"No story is called {story_id}.", "`thirdshift sources stories` lists them."
        )
    return _story(rows[0])


def _sameness(entry: Entry, vector: NDArray[np.float32], known: Known) -> str:
    other = known.story
    if canonical(entry.url) == canonical(other.url):
        return "" if _is_a_place(entry, other) else "It has the same address"
    if entry.source == other.source or _numbers(entry.title) != _numbers(other.title):
        return ""
    cosine = float(vector @ known.vector)
    alike = fuzz.token_sort_ratio(folded(entry.title), folded(other.title))
    if alike >= _TITLE and cosine >= _TITLE_MEANS:
        return "It has the same title"
    if _shared(text_of(entry), text_of(other)) >= _SHINGLES:
        return "It has the same text"
    if cosine >= _MEANS and alike >= _MEANS_TITLE:
        return f"It says the same ({cosine:.2f})"
    return ""


def _is_a_place(entry: Entry, other: Story) -> bool:
    """Tell whether one source tells new things at one address: a page that changed."""
    return entry.source == other.source and entry.title != other.title


def _numbers(title: str) -> set[str]:
    """Return a title's numbers: version 1.2.4 is not the story of version 1.2.3."""
    return set(_NUMBER.findall(folded(title)))


def _shared(text: str, other: str) -> float:
    """Return the share of five-letter stretches both texts have (Jaccard)."""
    first, second = _stretches(text), _stretches(other)
    if min(len(first), len(second)) < _SHORT:
        return 0.0
    return len(first & second) / len(first | second)


def _stretches(text: str) -> set[str]:
    plain = folded(text)
    return {plain[start : start + _STRETCH] for start in range(len(plain) - _STRETCH + 1)}


def _story(row: Row) -> Story:
    return Story(**{name: row[name] for name in Story.model_fields})
