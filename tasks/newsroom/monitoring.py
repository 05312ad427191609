"""Polling: what is new in each watched source, how long one that fails is left alone.

States are kept only after what was found is kept: whoever is interrupted finds it again.
"""

import difflib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from tasks.memory.store import Row, quoted, store
from tasks.newsroom import feeds, matching, stories
from tasks.newsroom.posts import posts
from tasks.newsroom.sources import feed_url
from tasks.pages import articles
from tasks.text.language import split_sentences
from tasks.web import mirror, robots
from tasks.web.page import Limits, Page
from thirdshift.errors import FeedBroken, PageUnavailable, ThirdShiftError
from thirdshift.newsroom import (
    Entry,
    Source,
    SourceState,
    Story,
    Watchlist,
)
from thirdshift.records import Record, now
from thirdshift.settings import settings

Result = Literal["new", "unchanged", "waiting", "broken", "still broken", "recovered"]

log = logging.getLogger(__name__)

LIMITS = Limits(seconds=45, wire_bytes=10_000_000, body_bytes=10_000_000, redirects=5)
_AT_ONCE = 4
_HOUR = timedelta(hours=1)
_LONGEST_RETRY = timedelta(days=7)  # however long a server asks us to stay away
_TEXT = 50_000  # characters of a page that are compared
_TELLING = 20  # characters; a shorter new sentence is a clock or a counter


class Checked(Record):
    """What became of a source."""

    source: Source
    result: Result
    reason: str = ""
    entries: list[Entry] = []  # noqa: RUF012  # pydantic copies it
    first: bool = False  # the source was not seen before
    state: SourceState


class _Answer(NamedTuple):
    """What a source answers now; `entries` is None where nothing changed."""

    entries: list[Entry] | None
    etag: str = ""
    modified: str = ""
    mark: str = ""


def check(source: Source, *, urgent: bool = False) -> Checked:
    """Ask a source what is new; nothing is kept yet.

    A source that failed is left alone until its time has come, unless it is `urgent`.
    """
    state = _states([source]).get(source.id) or SourceState(id=source.id, name=source.name)
    moment = now()
    if state.next_try and state.next_try > moment and not urgent:
        return Checked(source=source, result="waiting", reason=state.reason, state=state)
    try:
        answer = _ASK[source.kind](source, state)
    except ThirdShiftError as error:
        return _failed(source, state, error, moment)
    except Exception as error:  # whatever a stranger's bytes do to a parser, other sources go on
        log.exception("%s could not be read", source.name)
        return _failed(source, state, FeedBroken(f"It cannot be read: {error!r}."), moment)
    return _answered(source, state, answer, moment)


def check_all(sources: Sequence[Source], *, urgent: bool = False) -> list[Checked]:
    """Ask all sources, a few at a time: a slow one must not hold up the others."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda source: check(source, urgent=urgent), sources))


def keep_states(checked: Sequence[Checked]) -> None:
    """Keep the states of the sources that were asked."""
    rows = [check.state.model_dump() for check in checked if check.result != "waiting"]
    store().upsert("sources", rows)


def take_in(checked: Sequence[Checked], listed: Watchlist) -> list[Story]:
    """Judge what is new and keep the decisions, then the states of the sources."""
    most = settings().monitor.first_entries
    fresh = [entry for check in checked for entry in check.entries[: most if check.first else None]]
    stories.keep_old([entry for check in checked if check.first for entry in check.entries[most:]])
    judged = matching.judge(fresh, listed)
    keep_states(checked)
    return judged


def standing(sources: Sequence[Source]) -> dict[str, SourceState]:
    """Return the states of the sources that were asked before, by id."""
    return _states(sources)


def announcements(checked: Sequence[Checked]) -> list[str]:
    """Return a line for each source that broke or recovered in this check; not for the others."""
    verbs = {"broken": "is broken", "recovered": "has recovered"}
    return [
        f"{check.source.name} {verbs[check.result]}: {check.reason}"
        for check in checked
        if check.result in verbs
    ]


def _answered(source: Source, state: SourceState, answer: _Answer, moment: datetime) -> Checked:
    broken = state.broken_since
    result: Result = "recovered" if broken else "new" if answer.entries else "unchanged"
    reason = f"It answers again; it was broken since {_day(broken)}." if broken else ""
    fresh = SourceState(
        id=source.id,
        name=source.name,
        etag=answer.etag or (state.etag if answer.entries is None else ""),
        modified=answer.modified or (state.modified if answer.entries is None else ""),
        mark=answer.mark or state.mark,
        checked_at=moment,
    )
    return Checked(
        source=source,
        result=result,
        reason=reason,
        entries=answer.entries or [],
        first=state.checked_at is None,
        state=fresh,
    )


def _failed(
    source: Source, state: SourceState, error: ThirdShiftError, moment: datetime
) -> Checked:
    failures = state.failures + 1
    longest = timedelta(hours=settings().monitor.longest_wait_hours)
    wait = min(_HOUR * 2 ** min(failures - 1, 12), longest)
    asked = error.retry_at if isinstance(error, PageUnavailable) else None
    until = max(moment + wait, min(asked, moment + _LONGEST_RETRY) if asked else moment)
    # A little early: the hourly run must not find it waiting for another second.
    changed = {
        "failures": failures,
        "next_try": until - timedelta(minutes=5),
        "broken_since": state.broken_since or moment,
        "reason": str(error),
    }
    result: Result = "still broken" if state.broken_since else "broken"
    return Checked(
        source=source, result=result, reason=str(error), state=state.model_copy(update=changed)
    )


def _feed(source: Source, state: SourceState) -> _Answer:
    page = _page(feed_url(source), source, state)
    if page.not_modified:
        return _Answer(None)
    entries = feeds.entries(page.body, source, page.url, page.headers.get("content-type", ""))
    return _Answer(feeds.newest_first(entries), page.etag, page.last_modified)


def _changed_page(source: Source, state: SourceState) -> _Answer:
    if not mirror.on_disk(source.url, source.mirror):
        robots.pause(source.url)
    page = _page(source.url, source, state)
    if page.not_modified:
        return _Answer(None)
    text = articles.main_text(page.text, page.url)[:_TEXT]
    news = _news(state.mark, text) if state.mark else ""
    fetched = page.fetched_at.astimezone(settings().zone)
    entry = Entry(
        source=source.name,
        url=source.url,
        title=f"{source.name}, {fetched:%Y-%m-%d %H:%M}",
        summary=news,
        mirror=source.mirror,
    )
    return _Answer([entry] if news else [], page.etag, page.last_modified, text)


def _news(before: str, after: str) -> str:
    """Return the sentences of `after` that `before` does not have."""
    lines = difflib.ndiff(split_sentences(before), split_sentences(after))
    added = [line[2:] for line in lines if line.startswith("+ ")]
    return "\n".join(line for line in added if len(line) >= _TELLING)


def _posts(source: Source, state: SourceState) -> _Answer:
    entries, newest = posts(source, state.mark)
    return _Answer(entries, mark=newest)


def _page(url: str, source: Source, state: SourceState) -> Page:
    return mirror.read(
        url, mirror=source.mirror, etag=state.etag, modified=state.modified, limits=LIMITS
    )


_ASK: dict[str, Callable[[Source, SourceState], _Answer]] = {
    "feed": _feed,
    "github": _feed,
    "page": _changed_page,
    "x": _posts,
}


def _states(sources: Sequence[Source]) -> dict[str, SourceState]:
    if not sources:
        return {}
    ids = quoted(*(source.id for source in sources))
    rows: list[Row] = store().rows("sources", f"id IN {ids}").to_pylist()
    return {row["id"]: SourceState(**row) for row in rows}


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(settings().zone):%d %b %H:%M}"
