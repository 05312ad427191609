"""Metadata: what a page says of itself: title, author, date, language, feeds."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tasks.pages.blocks import Element, attribute, words_of
from tasks.pages.links import address
from thirdshift.records import Record

DEPTH = 20  # levels of JSON-LD that are looked into
_FEEDS = {"application/rss+xml", "application/atom+xml", "application/feed+json"}


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


def metadata_of(tree: Element | None, url: str) -> Metadata:
    """Return what the page says of itself, by JSON-LD, OpenGraph, meta tags, then its text."""
    if tree is None:
        return Metadata(canonical=url)
    stated = _Stated(tree)
    date = stated.first("datePublished", "article:published_time", "dc.date", "date")
    return Metadata(
        title=stated.first("headline", "og:title", "twitter:title", "title")
        or words_of(tree.find(".//title")),
        author=stated.first("author", "article:author", "dc.creator", "byl").removeprefix("By "),
        published=_moment(date) or _moment(attribute(tree.find(".//time[@datetime]"), "datetime")),
        site=stated.first("publisher", "og:site_name", "application-name"),
        description=stated.first("description", "og:description"),
        language=attribute(next(tree.iter("html"), None), "lang")
        or stated.first("inLanguage", "content-language"),
        canonical=_canonical(tree, url),
        feeds=tuple(_feeds(tree, url)),
    )


class _Stated:
    """What meta tags and JSON-LD state, by name."""

    def __init__(self, tree: Element) -> None:
        self._by_name: dict[str, str] = {}
        for thing in _linked_data(tree):
            for name, value in thing.items():
                self._keep(name, _plain(value))
        for tag in tree.iter("meta"):
            for key in ("property", "name", "itemprop", "http-equiv"):
                self._keep(attribute(tag, key), attribute(tag, "content"))

    def first(self, *names: str) -> str:
        """Return what the first of the names states that states something."""
        return next((text for name in names if (text := self._by_name.get(name.lower()))), "")

    def _keep(self, name: str, value: str) -> None:
        if name and value:
            self._by_name.setdefault(name.lower(), " ".join(value.split()))


def _linked_data(tree: Element) -> Iterator[dict[str, Any]]:
    """Yield the things of a page's JSON-LD that have a headline: articles and the like."""
    for script in tree.iter("script"):
        if script.get("type") == "application/ld+json":
            try:
                document = json.loads(script.text or "", strict=False)
            except (ValueError, RecursionError):
                continue
            yield from (thing for thing in _things(document) if "headline" in thing)


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


def _canonical(tree: Element, url: str) -> str:
    """Return the address the page names, where it is on the page's own host, else `url`."""
    marked = (tag for tag in tree.iter("link") if "canonical" in attribute(tag, "rel").split())
    href = attribute(next(marked, None), "href")
    own, host = address(href, url) if href else "", urlsplit(url).hostname
    return own.partition("#")[0] if own and host and urlsplit(own).hostname == host else url


def _feeds(tree: Element, url: str) -> list[str]:
    tags = [tag for tag in tree.iter("link") if "alternate" in attribute(tag, "rel").split()]
    listed = [attribute(tag, "href") for tag in tags if tag.get("type") in _FEEDS]
    addresses = [address(href, url).partition("#")[0] for href in listed if href]
    return list(dict.fromkeys(filter(None, addresses)))


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
