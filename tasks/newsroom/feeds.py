"""A feed's bytes to entries: RSS and Atom by feedparser, JSON Feed by its specification.

Feeds come from strangers: nothing in one is trusted but its text, and that only as text.
"""

import io
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from html import unescape
from typing import Any

from tasks.pages import links
from thirdshift.errors import FeedBroken
from thirdshift.newsroom import Entry, Source

MOST = 200  # entries of one feed; the rest is old
_TITLE, _SUMMARY = 300, 4000  # characters
_TAG = re.compile(r"<[a-zA-Z/!]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BOM = b"\xef\xbb\xbf"


def entries(body: bytes, source: Source, url: str, content_type: str = "") -> list[Entry]:
    """Return the entries of a feed, in its order; addresses made absolute against `url`.

    Entries without a title and a text, or whose address is not of the web, are left out; a
    feed on the owner's disk may also name files. Raises FeedBroken where it is no feed.
    """
    start = body.removeprefix(_BOM).lstrip()
    if not start:
        raise FeedBroken("It is empty.")
    read = _json_feed(start) if start[:1] in b"{[" else _xml_feed(body, url, content_type)
    listed = (_entry(item, source, url) for item in read[:MOST])
    return [entry for entry in listed if entry]


def plain(text: str) -> str:
    """Return HTML, or text that only looks like it, as plain text."""
    if _TAG.search(text):
        from bs4 import BeautifulSoup

        soup = BeautifulSoup(text, "lxml")
        for hidden in soup(["script", "style", "template", "noscript"]):
            hidden.decompose()
        text = soup.get_text(" ")
    return " ".join(_CONTROL.sub(" ", unescape(text)).split())


def _xml_feed(body: bytes, url: str, content_type: str) -> list[dict[str, Any]]:
    import feedparser

    headers = {"content-location": url, "content-type": content_type or "application/xml"}
    try:
        # A stream: bytes could be taken for the name of a file, or an address.
        feed = feedparser.parse(io.BytesIO(body), response_headers=headers)
    except (ValueError, LookupError, RecursionError, AssertionError) as error:
        raise FeedBroken(f"It cannot be read: {error!r}.") from error
    if not feed.get("version"):
        why = feed.get("bozo_exception") or "it has neither an RSS nor an Atom root"
        raise FeedBroken(f"It is not a feed: {' '.join(str(why).split())[:200]}.")
    if feed.get("bozo") and not feed.entries:
        why = " ".join(str(feed.get("bozo_exception")).split())[:200]
        raise FeedBroken(f"It is broken before its first entry: {why}.")
    return [_xml_item(item) for item in feed.entries]


def _xml_item(item: Any) -> dict[str, Any]:
    bodies = [part.get("value", "") for part in item.get("content", [])]
    parts = item.get("published_parsed") or item.get("updated_parsed")
    return {
        "url": item.get("link") or item.get("id", ""),
        "title": item.get("title", ""),
        "text": max([item.get("summary", ""), *bodies], key=len),
        "published_at": _moment(lambda: datetime(*parts[:6])) if parts else None,
    }


def _json_feed(body: bytes) -> list[dict[str, Any]]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FeedBroken(f"It begins like JSON and is not: {error}.") from error
    items = read.get("items") if isinstance(read, dict) else None
    if not isinstance(items, list) or "jsonfeed.org" not in str(read.get("version", "")):
        raise FeedBroken("It is JSON, but not a JSON Feed: version or items are missing.")
    return [_json_item(item) for item in items if isinstance(item, dict)]


def _json_item(item: dict[str, Any]) -> dict[str, Any]:
    def first(*keys: str) -> str:
        return next((item[key] for key in keys if isinstance(item.get(key), str)), "")

    date = first("date_published", "date_modified")
    return {
        "url": first("url", "external_url", "id"),
        "title": first("title"),
        "text": first("content_html", "content_text", "summary"),
        "published_at": _moment(lambda: datetime.fromisoformat(date)) if date else None,
    }


def _entry(item: dict[str, Any], source: Source, base: str) -> Entry | None:
    text = plain(str(item["text"]))[:_SUMMARY]
    title = plain(str(item["title"]))[:_TITLE] or text[:80]
    url = links.address(str(item["url"]), base)
    if not title or not url:
        return None
    return Entry(
        source=source.name,
        url=url,
        title=title,
        summary=text,
        published_at=item["published_at"],
        mirror=source.mirror,
    )


def _moment(read: Callable[[], datetime]) -> datetime | None:
    try:
        moment = read()
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):  # a date no calendar has
        return None


def newest_first(listed: Iterable[Entry]) -> list[Entry]:
    """Return the entries by their dates; those without one as the feed has them, first."""
    latest = datetime.max.replace(tzinfo=UTC)
    return sorted(listed, key=lambda entry: entry.published_at or latest, reverse=True)
