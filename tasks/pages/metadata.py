"""What a page says of itself, and where it leads: title, author, date, language, feeds, links."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from thirdshift.records import Record

DEPTH = 20  # levels of JSON-LD that are looked into
_FEEDS = {"application/rss+xml", "application/atom+xml", "application/feed+json"}
_NO_PAGES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".gif",
    ".webp",
    ".svg",
    ".zip",
    ".mp4",
    ".mp3",
    ".css",
    ".js",
)


class Metadata(Record):
    """What a page says of itself; empty where it says nothing."""

    title: str = ""
    author: str = ""
    published: datetime | None = None
    site: str = ""
    description: str = ""
    language: str = ""  # as in `en`, `ja`, `pt-BR`
    canonical: str = ""  # the address it wants to be known by, on its own host; else that asked
    feeds: tuple[str, ...] = ()


class Link(Record):
    """A link in a page, absolute and without fragment."""

    url: str
    text: str


def metadata(html: str, url: str) -> Metadata:
    """Return what the page says of itself, by JSON-LD, OpenGraph, meta tags, then its text."""
    soup = _soup(html)
    said = _Said(soup)
    return Metadata(
        title=said.of("headline", "og:title", "twitter:title", "title") or _text(soup.title),
        author=said.of("author", "article:author", "dc.creator", "byl").removeprefix("By "),
        published=_moment(said.of("datePublished", "article:published_time", "dc.date", "date"))
        or _moment(_attribute(soup.select_one("time[datetime]"), "datetime")),
        site=said.of("publisher", "og:site_name", "application-name"),
        description=said.of("description", "og:description"),
        language=_attribute(soup.html, "lang") or said.of("inLanguage", "content-language"),
        canonical=_canonical(soup, url),
        feeds=tuple(_feeds(soup, url)),
    )


def links(html: str, url: str) -> list[Link]:
    """Return the links to other pages, in order, each address once; those marked nofollow not."""
    found: dict[str, Link] = {}
    soup = _soup(html)
    base = urljoin(url, _attribute(soup.find("base"), "href"))
    for anchor in soup.find_all("a", href=True):
        target = _joined(base, _attribute(anchor, "href"))
        wanted = target and target != urldefrag(url)[0] and "nofollow" not in anchor.get("rel", [])
        if wanted and not urlsplit(target).path.lower().endswith(_NO_PAGES):
            found.setdefault(target, Link(url=target, text=_text(anchor)))
    return list(found.values())


class _Said:
    """What meta tags and JSON-LD say, by name."""

    def __init__(self, soup: Any) -> None:
        self._by_name: dict[str, str] = {}
        for thing in _linked_data(soup):
            for name, value in thing.items():
                self._keep(name, _plain(value))
        for tag in soup.find_all("meta", content=True):
            for key in ("property", "name", "itemprop", "http-equiv"):
                self._keep(_attribute(tag, key), _attribute(tag, "content"))

    def of(self, *names: str) -> str:
        """Return the first of the names that says something."""
        return next((said for name in names if (said := self._by_name.get(name.lower()))), "")

    def _keep(self, name: str, value: str) -> None:
        if name and value:
            self._by_name.setdefault(name.lower(), " ".join(value.split()))


def _soup(html: str) -> Any:
    from bs4 import BeautifulSoup

    return BeautifulSoup(html, "lxml")


def _linked_data(soup: Any) -> Iterator[dict[str, Any]]:
    """Yield the article-like things of JSON-LD first, then all others that have a headline."""
    for script in soup.find_all("script", type="application/ld+json"):
        try:
            said = json.loads(script.get_text(), strict=False)
        except (ValueError, RecursionError):
            continue
        yield from (thing for thing in _things(said) if "headline" in thing)


def _things(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _things(item, depth + 1)
    elif isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _things(inner, depth + 1)


def _plain(value: Any) -> str:
    """Return what a JSON-LD value names: itself, its name, or the names of several."""
    several = value[:9] if isinstance(value, list) else [value]
    names = [item.get("name") if isinstance(item, dict) else item for item in several]
    return ", ".join(name for name in names if isinstance(name, str))


def _text(tag: Any) -> str:
    return " ".join(tag.get_text(" ").split()) if tag else ""


def _attribute(tag: Any, name: str) -> str:
    value = tag.get(name, "") if tag else ""
    return value.strip() if isinstance(value, str) else ""


def _joined(base: str, href: str) -> str:
    try:
        target = urldefrag(urljoin(base, href))[0]
        return target if urlsplit(target).scheme in ("http", "https") else ""
    except ValueError:  # http://[broken
        return ""


def _canonical(soup: Any, url: str) -> str:
    named = _joined(url, _attribute(soup.find("link", rel="canonical"), "href"))
    return named if named and urlsplit(named).hostname == urlsplit(url).hostname else url


def _feeds(soup: Any, url: str) -> list[str]:
    tags = soup.find_all("link", rel="alternate", type=True, href=True)
    found = [_joined(url, _attribute(tag, "href")) for tag in tags if tag["type"] in _FEEDS]
    return list(dict.fromkeys(filter(None, found)))


def _moment(said: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
