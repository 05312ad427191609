"""A feed's bytes to entries: RSS and Atom by feedparser, JSON Feed by its specification.

Feeds come from strangers: nothing in one is trusted but its text, and that only as text.
"""

import io
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

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
    made = (_entry(item, source, url) for item in read[:MOST])
    return [entry for entry in made if entry]


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
        found = feedparser.parse(io.BytesIO(body), response_headers=headers)
    except (ValueError, LookupError, RecursionError, AssertionError) as error:
        raise FeedBroken(f"It cannot be read: {error!r}.") from error
    if not found.get("version"):
        why = found.get("bozo_exception") or "it has neither an RSS nor an Atom root"
        raise FeedBroken(f"It is not a feed: {' '.join(str(why).split())[:200]}.")
    if found.get("bozo") and not found.entries:
        why = " ".join(str(found.get("bozo_exception")).split())[:200]
        raise FeedBroken(f"It is broken before its first entry: {why}.")
    return [_xml_item(item) for item in found.entries]


def _xml_item(item: Any) -> dict[str, Any]:
    bodies = [part.get("value", "") for part in item.get("content", [])]
    moment = item.get("published_parsed") or item.get("updated_parsed")
    return {
        "url": item.get("link") or item.get("id", ""),
        "title": item.get("title", ""),
        "text": max([item.get("summary", ""), *bodies], key=len),
        "at": _moment(lambda: datetime(*moment[:6])) if moment else None,
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
    def said(*keys: str) -> str:
        return next((item[key] for key in keys if isinstance(item.get(key), str)), "")

    at = said("date_published", "date_modified")
    return {
        "url": said("url", "external_url", "id"),
        "title": said("title"),
        "text": said("content_html", "content_text", "summary"),
        "at": _moment(lambda: datetime.fromisoformat(at)) if at else None,
    }


def _entry(item: dict[str, Any], source: Source, base: str) -> Entry | None:
    text = plain(str(item["text"]))[:_SUMMARY]
    title = plain(str(item["title"]))[:_TITLE] or text[:80]
    url = address(str(item["url"]), base)
    if not title or not url:
        return None
    return Entry(
        source=source.name,
        url=url,
        title=title,
        summary=text,
        published_at=item["at"],
        mirror=source.mirror,
    )


def address(link: str, base: str) -> str:
    """Return the absolute address, or nothing where it is not one that may be followed."""
    try:
        url = urljoin(base, link.strip())
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme == "file":
        return url if _is_beside(url, base) else ""
    return url if parts.scheme in ("http", "https") and parts.hostname else ""


def _is_beside(url: str, base: str) -> bool:
    """Tell whether both are files, the one in the other's folder or below."""
    if not base.startswith("file:///") or not url.startswith("file:///"):
        return False
    one, other = (Path(unquote(urlsplit(some).path)).resolve() for some in (url, base))
    return one.is_relative_to(other.parent)


def _moment(read: Any) -> datetime | None:
    try:
        at: datetime = read()
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):  # a date no calendar has
        return None


def newest_first(found: Iterable[Entry]) -> list[Entry]:
    """Return the entries by their dates; those without one as the feed has them, first."""
    listed = list(found)
    latest = datetime.max.replace(tzinfo=UTC)
    return sorted(listed, key=lambda entry: entry.published_at or latest, reverse=True)
