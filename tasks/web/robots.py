"""Robots exclusion (RFC 9309): what a site's robots.txt allows, asked once a day."""

from datetime import timedelta
from functools import lru_cache
from typing import Any

import httpx

from tasks.web import addresses, cache
from tasks.web import fetch as web
from tasks.web.page import Limits, Page
from thirdshift.errors import PageUnavailable, RobotsDisallowed
from thirdshift.settings import settings

TOKEN = "ThirdShift"  # what robots.txt calls us
_LIMITS = Limits(seconds=20, wire_bytes=500_000, body_bytes=500_000, redirects=5)
_FRESH = timedelta(days=1)


def pause(url: str, found_on: str = "") -> float:
    """Return the seconds between two visits to the site; raise RobotsDisallowed for the URL.

    Where robots.txt does not exist all is allowed; where the site fails to say, nothing is:
    PageUnavailable then tells when to ask again.
    """
    target = addresses.parsed(url, found_on)
    rules = _rules(_text(target, found_on))
    if not rules.can_fetch(str(target), TOKEN):
        raise RobotsDisallowed(f"{target} is not read: the site's robots.txt asks not to.")
    ours = 0.0 if addresses.owned(target) else settings().web.delay_seconds
    return max(float(rules.crawl_delay(TOKEN) or 0), ours)


def _text(target: httpx.URL, found_on: str) -> str:
    url = str(target.copy_with(raw_path=b"/robots.txt"))
    page = cache.load(url, _FRESH)
    if page is None:
        page = _asked(url, found_on)
        cache.save(page)
    return page.body.decode("utf-8", "replace")


def _asked(url: str, found_on: str) -> Page:
    try:
        return web.fetch(url, accept="text/plain, */*;q=0.5", limits=_LIMITS, found_on=found_on)
    except PageUnavailable as error:
        if 400 <= error.status < 500 and error.status != 429:
            return Page(asked=url, url=url, status=error.status)
        raise


@lru_cache(64)
def _rules(text: str) -> Any:
    from protego import Protego

    return Protego.parse(text)
