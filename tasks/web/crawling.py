"""Polite crawling of one page: cache, robots.txt, crawl delay, a browser where it must be."""

from datetime import timedelta

from tasks.web import browser, cache, robots
from tasks.web import fetch as web
from tasks.web.page import Limits, Page
from thirdshift.records import now
from thirdshift.settings import settings

_HTML = {"text/html", "application/xhtml+xml", ""}


def read_page(url: str, *, found_on: str = "", limits: Limits | None = None) -> Page:
    """Return the page at the URL, as a reader would see it.

    A copy younger than web.cache_hours is taken as it is, an older one only confirmed with
    the server. Raises AddressRefused, RobotsDisallowed, LimitExceeded, PageUnavailable, or
    BrowserMissing where the page shows nothing without its scripts.
    """
    copy = cache.load(url)
    if copy and now() - copy.fetched_at <= timedelta(hours=settings().web.cache_hours):
        return copy
    delay = robots.pause(url, found_on)
    etag, modified = (copy.etag, copy.last_modified) if copy else ("", "")
    page = web.fetch(
        url, etag=etag, modified=modified, limits=limits, delay=delay, found_on=found_on
    )
    if page.url != page.asked:
        robots.pause(page.url)
    if copy and page.not_modified:
        page = copy.model_copy(update={"fetched_at": page.fetched_at})
    elif page.content_type in _HTML and page.parsed.needs_browser():
        page = browser.render(page)
    cache.save(page.model_copy(update={"asked": url}))
    return page
