"""Research: what is read of a story's page and of those it leads to, and what is left alone."""

from collections.abc import Callable

import pytest

from tasks.newsroom import sources
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
