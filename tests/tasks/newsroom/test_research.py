"""Research: what is read of a story's page and of those it leads to, and what is left alone."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import bs4
import lxml.html
import pytest

from tasks.newsroom import passages, sources
from tasks.newsroom.research import explore
from tests.hostile import Web
from thirdshift.newsroom import Source, Story

PAGE = (
    "<title>Grinders | Daily</title><nav><a href='/'>Home</a></nav><article><p>{}</p>"
    "<p><a href='/burrs'>New grinder burrs last longer</a></p></article>"
)
TEXT = "The new grinder burrs last for nine hundred kilograms of coffee, the maker says. "


def story(url: str, source: str = "daily") -> Story:
    return Story(
        id="a",
        source=source,
        url=url,
        title="New grinder burrs",
        summary="Burrs of a new steel.",
        published_at=None,
        decision="matched",
        reason="-",
        score=1,
    )


@pytest.fixture
def watched(site: Web) -> Web:
    """A site of the owner's own, with a feed that is on his list."""
    sources.add([Source(name="daily", url=f"{site.base}/feed")])
    return site


def test_the_story_and_what_it_links_to_are_read_without_what_surrounds_them(watched: Web) -> None:
    url = watched.serve("/grinders", PAGE.format(TEXT * 3))
    watched.serve("/burrs", f"<title>Burrs</title><article><p>{TEXT * 4}</p></article>")

    articles, visits = explore(story(url))

    assert [visit.result for visit in visits] == ["read", "read"]
    assert [article.title for article in articles] == ["Grinders", "Burrs"]
    assert "Home" not in articles[0].text


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often HTML with a title is parsed, by either library, by that title."""
    counted: Counter[str] = Counter()

    def counting(parse: Callable[..., Any], place: int) -> Callable[..., Any]:
        def counted_parse(*arguments: Any, **options: Any) -> Any:
            html = arguments[place]
            text = html.decode("utf-8", "replace") if isinstance(html, bytes) else str(html)
            counted.update(re.findall("<title>(.*?)</title>", text))
            return parse(*arguments, **options)

        return counted_parse

    # All of lxml's ways to parse HTML from a string go through this function.
    entry = lxml.html.document_fromstring
    monkeypatch.setattr(lxml.html, "document_fromstring", counting(entry, 0))
    monkeypatch.setattr(lxml.etree, "HTML", counting(lxml.etree.HTML, 0))
    soup = bs4.BeautifulSoup.__init__
    monkeypatch.setattr(bs4.BeautifulSoup, "__init__", counting(soup, 1))
    return counted


def test_a_page_is_parsed_once_on_its_way_from_the_web_to_passages(
    watched: Web, parses: Counter[str]
) -> None:
    url = watched.serve("/grinders", PAGE.format(TEXT * 3))
    watched.serve("/burrs", f"<title>Burrs</title><article><p>{TEXT * 4}</p></article>")

    articles, visits = explore(story(url))
    researched = passages.keep(articles)

    assert [visit.result for visit in visits] == ["read", "read"]
    assert {passage.title for passage in researched} >= {"Grinders", "Burrs"}
    assert parses == {"Grinders | Daily": 1, "Burrs": 1}


def test_a_parse_that_is_not_needed_would_be_counted(parses: Counter[str]) -> None:
    bs4.BeautifulSoup("<title>A</title>", "lxml")
    lxml.html.fromstring("<title>A</title>")

    assert parses == {"A": 2}


def test_a_link_that_is_broken_costs_no_page(watched: Web) -> None:
    url = watched.serve("/grinders", PAGE.format(TEXT * 3 + "<a href='http://[new'>burrs</a>"))
    watched.serve("/burrs", f"<title>Burrs</title><article><p>{TEXT * 4}</p></article>")

    _, visits = explore(story(url))

    assert [visit.result for visit in visits] == ["read", "read"]


def test_a_link_is_related_by_any_of_its_anchors(watched: Web) -> None:
    anchors = "<a href='/b'><img></a><a href='/b'>New grinder burrs last longer</a>"
    url = watched.serve("/grinders", PAGE.format(TEXT * 3).replace("/burrs", "/x") + anchors)
    watched.serve("/b", f"<title>Burrs</title><article><p>{TEXT * 4}</p></article>")

    _, visits = explore(story(url))

    assert visits[-1].url == watched.base + "/b"


def test_what_robots_txt_forbids_is_not_asked_for(watched: Web) -> None:
    watched.serve("/robots.txt", "User-agent: *\nDisallow: /burrs", "text/plain")
    url = watched.serve("/grinders", PAGE.format(TEXT * 3))

    _, visits = explore(story(url))

    assert [visit.result for visit in visits] == ["read", "refused"]
    assert "robots.txt" in visits[1].reason
    assert watched.visits("/burrs") == 0


def test_a_strangers_feed_cannot_point_at_the_owners_own_hosts(site: Web) -> None:
    sources.add([Source(name="daily", url="https://feeds.example/feed")])
    url = site.serve("/admin", PAGE.format(TEXT * 3))

    for source in ("daily", "no longer listed"):
        articles, visits = explore(story(url, source))

        assert [visit.result for visit in visits] == ["refused"]
        assert [article.text for article in articles] == ["Burrs of a new steel."]
    assert site.requests == []


def test_a_page_that_shows_nothing_without_scripts_is_read_in_the_browser(
    watched: Web, override: Callable[..., None]
) -> None:
    script = f"document.getElementById('app').innerHTML = '<article><p>{TEXT * 4}</p></article>'"
    url = watched.serve("/app", f"<title>App</title><div id=app></div><script>{script}</script>")

    (article,), (visit,) = explore(story(url))

    assert visit.result == "read"
    assert "nine hundred kilograms" in article.text
