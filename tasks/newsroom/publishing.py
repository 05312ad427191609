"""Publishing: approved drafts as Markdown with front matter, and RSS and Atom feeds of them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tasks.machine.disk import write_whole
from tasks.reports.rendering import plain
from thirdshift.newsroom import Draft
from thirdshift.records import now
from thirdshift.settings import settings

_SLUG = re.compile(r"[^\w]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def publish(draft: Draft) -> Path:
    """Write an approved draft as Markdown with front matter; return its path."""
    path = file_of(draft)
    write_whole(path, markdown(draft), durable=True)
    return path


def file_of(draft: Draft) -> Path:
    """Return where the published draft lies."""
    day = (draft.decided_at or now()).astimezone(settings().zone)
    slug = _SLUG.sub("-", draft.title.lower()).strip("-")[:60] or "post"
    return settings().published_path / f"{day:%Y-%m-%d}-{slug}-{draft.id}.md"


def markdown(draft: Draft) -> str:
    """Return the approved text with front matter and its sources."""
    decided = (draft.decided_at or now()).astimezone(settings().zone)
    head: dict[str, Any] = {"title": draft.title, "date": decided.isoformat(timespec="seconds")}
    if settings().drafts.author:
        head["author"] = settings().drafts.author
    head |= {"lang": draft.language, "kind": draft.kind, "id": draft.id}
    head["sources"] = list(dict.fromkeys(passage.url for passage in draft.cited))
    front = yaml.safe_dump(head, allow_unicode=True, sort_keys=False)
    return f"---\n{front}---\n\n{draft.published}\n\n{sources(draft)}\n"


def sources(draft: Draft) -> str:
    """Return the list of what the marks [1], [2] stand for: title, address, the passage itself."""
    if not draft.cited:
        return ""
    heading = "出典" if draft.language == "ja" else "Sources"
    lines = [
        f"{number}. {plain(passage.title)}, <{_address(passage.url)}>: "
        f"{plain(passage.text[:160])}… (passage {passage.id})"
        for number, passage in enumerate(draft.cited, 1)
    ]
    return "\n".join([f"## {heading}", "", *lines])


def write_feeds(approved: Sequence[Draft]) -> None:
    """Write RSS and Atom feeds of the approved drafts, the newest first."""
    from feedgen.feed import FeedGenerator

    if not approved:
        return
    site, author = settings().drafts.site.rstrip("/"), settings().drafts.author or "Third Shift"
    feed = FeedGenerator()
    feed.id(f"{site}/")
    feed.title(author)
    feed.author(name=author)
    feed.link(href=f"{site}/", rel="alternate")
    feed.description("Approved by its author")
    ordered = sorted(approved, key=lambda draft: draft.decided_at or draft.created_at)
    feed.updated((ordered[-1].decided_at or ordered[-1].created_at).isoformat())
    for draft in ordered[-settings().drafts.feed_entries :]:
        _entry(feed, draft, site)
    folder = settings().published_path
    write_whole(folder / "feed.rss", feed.rss_str(pretty=True).decode(), durable=True)
    write_whole(folder / "feed.atom", feed.atom_str(pretty=True).decode(), durable=True)


def _entry(feed: Any, draft: Draft, site: str) -> None:
    from markdown_it import MarkdownIt

    text = f"{draft.published}\n\n{sources(draft)}"
    html = MarkdownIt("commonmark", {"html": False}).render(text)
    entry = feed.add_entry()
    entry.id(f"{site}/{file_of(draft).stem}")
    entry.link(href=f"{site}/{file_of(draft).stem}")
    entry.title(_CONTROL.sub("", draft.title))
    entry.content(_CONTROL.sub("", html), type="html")
    decided = draft.decided_at or draft.created_at
    entry.published(decided)
    entry.updated(decided)


def _address(url: str) -> str:
    return url.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")
