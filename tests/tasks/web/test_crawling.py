from collections.abc import Callable
from datetime import timedelta

import pytest

from tasks.web import cache, crawling, robots
from tasks.web.page import Page
from tests.hostile import Web
from thirdshift.errors import AddressRefused, PageUnavailable, RobotsDisallowed
from thirdshift.records import now

TEXT = "<main><h1>Notes</h1>" + "<p>A page with enough words to be read as it is.</p>" * 9


def test_a_page_is_read_once_then_taken_from_the_cache_then_confirmed(
    site: Web, override: Callable[..., None]
) -> None:
    url = site.serve("/page", TEXT, ETag='"1"')
    first = crawling.read_page(url)
    assert crawling.read_page(url) == first
    assert site.visits("/page") == 1
    override(WEB__CACHE_HOURS=0)
    again = crawling.read_page(url)
    assert site.requests[-1].headers["if-none-match"] == '"1"'
    assert again.body == first.body
    assert again.fetched_at > first.fetched_at
    assert site.visits("/robots.txt") == 1


def test_robots_txt_is_kept_to(site: Web) -> None:
    rules = "User-agent: thirdshift\nDisallow: /private\nCrawl-delay: 0.2\n"
    site.serve("/robots.txt", rules, "text/plain")
    site.serve("/page", TEXT)
    assert crawling.read_page(site.base + "/page").status == 200
    assert robots.pause(site.base + "/page") == 0.2
    with pytest.raises(RobotsDisallowed, match=r"robots\.txt"):
        crawling.read_page(site.base + "/private/page")
    assert site.visits("/private/page") == 0


def test_a_redirect_into_what_robots_txt_forbids_is_not_read(site: Web) -> None:
    site.serve("/robots.txt", "User-agent: *\nDisallow: /private\n", "text/plain")
    site.serve("/open", status=302, Location="/private/page")
    site.serve("/private/page", TEXT)
    with pytest.raises(RobotsDisallowed):
        crawling.read_page(site.base + "/open")


def test_a_site_that_fails_to_say_is_left_for_later(site: Web) -> None:
    site.serve("/robots.txt", status=503, Retry_After="3600")
    site.serve("/page", TEXT)
    with pytest.raises(PageUnavailable) as caught:
        crawling.read_page(site.base + "/page")
    assert caught.value.retry_at is not None
    assert site.visits("/page") == 0


@pytest.mark.parametrize("status", [404, 401, 403, 410])
def test_no_robots_txt_allows_all(site: Web, status: int) -> None:
    site.serve("/robots.txt", status=status)
    site.serve("/page", TEXT)
    assert crawling.read_page(site.base + "/page").status == 200


def test_private_addresses_are_refused_before_robots_txt_is_asked_for() -> None:
    with pytest.raises(AddressRefused):
        crawling.read_page("http://127.0.0.1:9/page")


def test_pages_of_any_bytes_are_kept_whole_until_room_is_short(
    override: Callable[..., None],
) -> None:
    old = Page(asked="http://a.example/1", url="http://a.example/", status=200, body=b"\xff\x00")
    cache.save(old)
    assert cache.load(old.asked) == old
    aged = old.model_copy(update={"fetched_at": now() - timedelta(hours=2)})
    cache.save(aged)
    assert cache.load(old.asked, timedelta(hours=1)) is None
    assert cache.prune() == 0
    override(WEB__CACHE_MB=0)
    assert cache.prune() == 1
    assert cache.load(old.asked) is None


def test_a_damaged_copy_is_fetched_again(site: Web) -> None:
    url = site.serve("/page", TEXT)
    crawling.read_page(url)
    for path in cache._path(url).parent.iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert crawling.read_page(url).status == 200
    assert site.visits("/page") == 2
