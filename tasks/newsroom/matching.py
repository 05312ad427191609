"""Which stories the owner wants to hear of: by words, by meaning, once each, so many a day.

Every entry that was looked at becomes a story with a decision and its reason.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tasks.memory.store import store
from tasks.models.embedding import embedder
from tasks.newsroom import stories
from tasks.newsroom.stories import Known, text_of
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
    """How near an entry is to something the owner cares for."""

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


def found_keyword(text: str, keywords: Sequence[str]) -> str:
    """Return the first keyword the text has, or nothing.

    Width and case do not matter. A word in Latin script must stand alone, a Japanese one may
    stand anywhere: Japanese has no spaces.
    """
    plain = _plain(text)
    return next((word for word in keywords if word.strip() and _holds(plain, _plain(word))), "")


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


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
    source = next((one for one in listed.sources if one.name == entry.source), None)
    word = found_keyword(text_of(entry), _keywords(listed, source))
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
    found = []
    for vector in vectors:
        best = _Likeness(0.0, wanted.like_interest, "no interest is listed")
        if stated is not None:
            at = int(np.argmax(stated @ vector))
            best = _Likeness(float(stated[at] @ vector), wanted.like_interest, listed.interests[at])
        if papers and not best.enough:
            (row,) = store().nearest(vector, 1, _OWNERS).to_pylist()
            paper = _Likeness(1 - row["_distance"], wanted.like_paper, row["title"])
            best = paper if paper.enough or not listed.interests else best
        found.append(best)
    return found


def _capped(judged: Sequence[Story], already: int) -> list[Story]:
    cap = settings().monitor.stories_a_day
    ranked = sorted(
        (story for story in judged if story.decision == "matched"), key=lambda one: -one.score
    )
    over = {story.id for story in ranked[max(cap - already, 0) :]}
    reason = f"It matches, but the {cap} stories of today are taken (monitor.stories_a_day)."
    capped = {"decision": "capped", "reason": reason}
    return [story.model_copy(update=capped) if story.id in over else story for story in judged]


def _midnight() -> datetime:
    today = now().astimezone(settings().zone)
    return today.replace(hour=0, minute=0, second=0, microsecond=0)
