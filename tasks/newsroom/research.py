"""What else is said about a story: its page and the pages that it links to, within a budget."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from tasks.newsroom import sources
from tasks.newsroom.passages import Article
from tasks.newsroom.stories import canonical, text_of
from tasks.pages import articles
from tasks.pages.metadata import metadata
from tasks.text.language import terms
from tasks.web import crawling
from tasks.web import mirror as places
from tasks.web.page import Limits, Page
from thirdshift.errors import AddressRefused, RobotsDisallowed, ThirdShiftError
from thirdshift.newsroom import Story, Visit
from thirdshift.settings import settings

_LIMITS = Limits(seconds=30, wire_bytes=5_000_000, body_bytes=10_000_000, redirects=5)
_TEXT = 40_000  # characters of a page
_SHORT = 80  # characters; a page with less says nothing
_COMMON = 2  # words a link's text must share with the story
_STRANGER = "https://unknown.invalid/"
_HTML = ("", "text/html", "application/xhtml+xml")


def explore(story: Story) -> tuple[list[Article], list[Visit]]:
    """Return the articles found, the feed's own words first, and what became of each page.

    Pages, depth and seconds are bounded by the settings; related is a link whose words share
    some with the story's.
    """
    limits, ends = settings().research, time.monotonic() + settings().research.seconds
    told = Article(url=story.url, title=story.title, text=story.summary)
    found: dict[str, Article] = {story.url: told}
    visits: list[Visit] = []
    waiting, seen = [(story.url, 0, _origin(story))], {canonical(story.url)}
    while waiting and len(visits) < limits.pages and time.monotonic() < ends:
        url, depth, found_on = waiting.pop(0)
        article, html, visit = _visit(url, story, found_on)
        visits.append(visit)
        if article:
            found[url] = article
        if depth < limits.depth:
            for link in _related(html, url, story):
                if canonical(link) not in seen:
                    seen.add(canonical(link))
                    waiting.append((link, depth + 1, url))
    return [one for one in found.values() if one.text.strip()], visits


def _origin(story: Story) -> str:
    """Return where the story's address was found: what a stranger's feed names is a stranger's."""
    listed = [one for one in sources.watchlist().sources if one.name == story.source]
    return (sources.feed_url(listed[0]) if listed else "") or _STRANGER


def _page(url: str, story: Story, found_on: str) -> Page:
    if places.on_disk(url, story.mirror):
        return places.read(url, mirror=story.mirror, limits=_LIMITS)
    return crawling.read_page(url, found_on=found_on, limits=_LIMITS)


def _visit(url: str, story: Story, found_on: str) -> tuple[Article | None, str, Visit]:
    try:
        page = _page(url, story, found_on)
        if page.content_type not in _HTML:
            why = f"It is {page.content_type}, not a page."
            return None, "", Visit(url=url, result="empty", reason=why)
        html = page.text
        text, title = articles.main_text(html, page.url), metadata(html, page.url).title
    except (AddressRefused, RobotsDisallowed) as error:
        return None, "", Visit(url=url, result="refused", reason=str(error))
    except ThirdShiftError as error:
        return None, "", Visit(url=url, result="failed", reason=str(error))
    if len(text.strip()) < _SHORT:
        return None, html, Visit(url=url, result="empty", reason="It has no text to speak of.")
    named = title.split(" | ")[0].strip() or url
    return Article(url=url, title=named, text=text[:_TEXT]), html, Visit(url=url, result="read")


def _related(html: str, base: str, story: Story) -> Iterator[str]:
    from bs4 import BeautifulSoup

    from tasks.newsroom.feeds import address

    wanted = set(terms(text_of(story)))
    for anchor in BeautifulSoup(html, "lxml").find_all("a", href=True):
        said = f"{anchor.get_text(' ')} {urlsplit(str(anchor['href'])).path.replace('-', ' ')}"
        link = address(str(anchor["href"]), base)
        if link and len(wanted & set(terms(said))) >= _COMMON:
            yield link.partition("#")[0]
