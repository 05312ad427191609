"""Research: a crawl from a story's page to related ones, within a budget of pages and time."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from tasks.newsroom import sources
from tasks.newsroom.passages import Article
from tasks.newsroom.stories import canonical, text_of
from tasks.pages.parsed import ParsedPage
from tasks.text.language import terms
from tasks.web import crawling, mirror
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
    articles = {story.url: Article(url=story.url, title=story.title, text=story.summary)}
    visits: list[Visit] = []
    waiting, seen = [(story.url, 0, _origin(story))], {canonical(story.url)}
    while waiting and len(visits) < limits.pages and time.monotonic() < ends:
        url, depth, found_on = waiting.pop(0)
        page, article, visit = _visit(url, story, found_on)
        visits.append(visit)
        if article:
            articles[url] = article
        if page and depth < limits.depth:
            for link in _related(page, story):
                if canonical(link) not in seen:
                    seen.add(canonical(link))
                    waiting.append((link, depth + 1, url))
    return [article for article in articles.values() if article.text.strip()], visits


def _origin(story: Story) -> str:
    """Return where the story's address was found: what a stranger's feed names is a stranger's."""
    listed = [source for source in sources.watchlist().sources if source.name == story.source]
    return (sources.feed_url(listed[0]) if listed else "") or _STRANGER


def _page(url: str, story: Story, found_on: str) -> Page:
    if mirror.on_disk(url, story.mirror):
        return mirror.read(url, mirror=story.mirror, limits=_LIMITS)
    return crawling.read_page(url, found_on=found_on, limits=_LIMITS)


def _visit(
    url: str, story: Story, found_on: str
) -> tuple[ParsedPage | None, Article | None, Visit]:
    """Return the page, what it says, and what became of the visit."""
    try:
        page = _page(url, story, found_on)
        if page.content_type not in _HTML:
            why = f"It is {page.content_type}, not a page."
            return None, None, Visit(url=url, result="empty", reason=why)
        text, title = page.parsed.main_text(), page.parsed.metadata().title
    except (AddressRefused, RobotsDisallowed) as error:
        return None, None, Visit(url=url, result="refused", reason=str(error))
    except ThirdShiftError as error:
        return None, None, Visit(url=url, result="failed", reason=str(error))
    if len(text.strip()) < _SHORT:
        empty = Visit(url=url, result="empty", reason="It has no text to speak of.")
        return page.parsed, None, empty
    named = title.split(" | ")[0].strip() or url
    article = Article(url=url, title=named, text=text[:_TEXT])
    return page.parsed, article, Visit(url=url, result="read")


def _related(page: ParsedPage, story: Story) -> Iterator[str]:
    """Yield where a page leads by words that it shares with the story: an anchor's, a path's."""
    wanted = set(terms(text_of(story)))
    for link in page.links():
        path = urlsplit(link.href).path.replace("-", " ")
        if any(len(wanted & set(terms(f"{text} {path}"))) >= _COMMON for text in link.texts):
            yield link.url
