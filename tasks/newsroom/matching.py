"""Relevance: which stories the owner wants, by words, by meaning, once each, so many a day.

Every entry that was looked at becomes a story with a decision and its reason.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tasks.memory import chunks
from tasks.memory.store import store
from tasks.models.embedding import embedder
from tasks.newsroom import stories
from tasks.newsroom.stories import Known, text_of
from tasks.text.language import folded
from thirdshift.newsroom import (
    Entry,
    Source,
    Story,
    Watchlist,
)
from thirdshift.records import now
from thirdshift.settings import settings

Vectors = NDArray[np.float32]

_OWNERS = "status = 'active' AND provenance = 'owner'"


@dataclass(frozen=True)
class _Likeness:
    """How near an entry is (cosine) to something the owner cares for."""

    score: float
    wanted: float
    to: str

    @property
    def enough(self) -> bool:
        return self.score >= self.wanted

    def __str__(self) -> str:
        return f"likeness {self.score:.2f} to “{self.to}”, wanted {self.wanted:.2f}"


def judge(entries: Sequence[Entry], listed: Watchlist) -> list[Story]:
    """Decide on the entries that were not seen before, and keep the decisions.

    What matches beyond the day's cap is `capped`: the best go first.
    """
    fresh = stories.unseen(entries)
    if not fresh:
        return []
    vectors = embedder().passage([text_of(entry) for entry in fresh])
    known = stories.recent(now() - timedelta(days=settings().monitor.same_days))
    judged = []
    for entry, vector, likeness in zip(fresh, vectors, _likenesses(vectors, listed), strict=True):
        story = _decide(entry, vector, likeness, listed, known)
        judged.append(story)
        if story.decision != "duplicate":
            known.append(Known(story, vector))
    judged = _capped(judged, stories.matched_since(_midnight()))
    stories.keep(judged, vectors)
    return judged


def first_keyword(text: str, keywords: Sequence[str]) -> str:
    """Return the first keyword the text has, or nothing.

    Width and case do not matter. A word in Latin script must stand alone, a Japanese one may
    stand anywhere: Japanese has no spaces.
    """
    plain = folded(text)
    return next((word for word in keywords if word.strip() and _holds(plain, folded(word))), "")


def _holds(text: str, word: str) -> bool:
    if not word.isascii():
        return word in text
    return re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text) is not None


def _decide(
    entry: Entry,
    vector: Vectors,
    likeness: _Likeness,
    listed: Watchlist,
    known: Sequence[Known],
) -> Story:
    same = stories.same(entry, vector, known)
    source = next((source for source in listed.sources if source.name == entry.source), None)
    word = first_keyword(text_of(entry), _keywords(listed, source))
    fields = entry.model_dump() | {"id": entry.id, "score": round(likeness.score, 3)}
    if same:
        other, why = same
        return Story(**fields, decision="duplicate", reason=why, same_as=other.id)
    if word:
        fields["score"] = round(1 + likeness.score, 3)
        return Story(**fields, decision="matched", reason=f"It has the keyword “{word}”.")
    if source and source.all:
        return Story(**fields, decision="matched", reason="All of this source is taken.")
    if likeness.enough:
        return Story(**fields, decision="matched", reason=f"By meaning: {likeness}.")
    return Story(**fields, decision="unmatched", reason=f"No keyword; {likeness}.")


def _keywords(listed: Watchlist, source: Source | None) -> tuple[str, ...]:
    return listed.keywords + (source.keywords if source else ())


def _likenesses(vectors: Vectors, listed: Watchlist) -> list[_Likeness]:
    """Return for each entry the best of the listed interests and of the owner's own papers.

    The nearest of thousands of passages is nearer than the nearest of a few interests, for
    any text: the two are measured with two yardsticks.
    """
    wanted = settings().monitor
    stated = embedder().query(listed.interests) if listed.interests else None
    papers = store().count("chunks", _OWNERS) > 0
    likenesses = []
    for vector in vectors:
        best = _Likeness(0.0, wanted.like_interest, "no interest is listed")
        if stated is not None:
            nearest = int(np.argmax(stated @ vector))
            score, interest = float(stated[nearest] @ vector), listed.interests[nearest]
            best = _Likeness(score, wanted.like_interest, interest)
        if papers and not best.enough:
            (row,) = chunks.nearest(vector, 1, _OWNERS).to_pylist()
            paper = _Likeness(1 - row["_distance"], wanted.like_paper, row["title"])
            best = paper if paper.enough or not listed.interests else best
        likenesses.append(best)
    return likenesses


def _capped(judged: Sequence[Story], already: int) -> list[Story]:
    cap = settings().monitor.stories_a_day
    ranked = sorted(
        (story for story in judged if story.decision == "matched"), key=lambda story: -story.score
    )
    over = {story.id for story in ranked[max(cap - already, 0) :]}
    reason = f"It matches, but the {cap} stories of today are taken (monitor.stories_a_day)."
    capped = {"decision": "capped", "reason": reason}
    return [story.model_copy(update=capped) if story.id in over else story for story in judged]


def _midnight() -> datetime:
    today = now().astimezone(settings().zone)
    return today.replace(hour=0, minute=0, second=0, microsecond=0)
