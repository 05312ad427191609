"""Sources are asked kindly, left alone when they fail, and told of once; X by its own API."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import keyring
import pytest

from tasks.memory.store import store
from tasks.newsroom import monitoring, stories
from tasks.newsroom.monitoring import (
    Checked,
    announcements,
    check,
    check_all,
    keep_states,
    take_in,
)
from tests.hostile import Web, answer
from thirdshift.newsroom import Source, Watchlist
from thirdshift.records import now

RSS = "<rss version='2.0'><channel><title>T</title>{}</channel></rss>"
ITEM = "<item><title>{0}</title><link>https://news.example/{0}</link></item>"
KIND = "application/rss+xml"


def ask(source: Source) -> Checked:
    checked = check(source)
    keep_states([checked])
    return checked


def later(source: Source) -> None:
    """Let the time of the next try come."""
    store().update("sources", f"id = '{source.id}'", next_try=now() - timedelta(seconds=1))


def test_a_feed_is_asked_with_what_it_said_of_its_last_answer(site: Web) -> None:
    url = site.serve("/feed", RSS.format(ITEM.format("a")), KIND, ETag='"1"')
    source = Source(name="News", url=url)

    results = [ask(source).result for _ in range(2)]

    assert results == ["new", "unchanged"]
    assert site.requests[1].headers["if-none-match"] == '"1"'


def test_what_a_source_said_before_it_was_watched_is_no_news(
    site: Web, override: Callable[..., None]
) -> None:
    override(MONITOR__FIRST_ENTRIES=1)
    site.serve("/feed", RSS.format("".join(ITEM.format(name) for name in "abc")), KIND)
    source = Source(name="News", url=site.base + "/feed", all=True)
    listed = Watchlist(sources=(source,))

    first = take_in(check_all([source]), listed)
    site.serve("/feed", RSS.format("".join(ITEM.format(name) for name in "zabc")), KIND)
    second = take_in(check_all([source]), listed)

    assert [story.title for story in first + second] == ["a", "z"]
    assert {story.decision for story in stories.untold()} == {"matched"}


def test_a_broken_feed_is_told_of_once_and_its_recovery_once(site: Web) -> None:
    source = Source(name="News", url=site.serve("/feed", "gone", status=404))

    lines = [announcements([ask(source)])]
    for _ in range(3):
        later(source)
        lines.append(announcements([ask(source)]))
    site.serve("/feed", RSS.format(ITEM.format("a")), KIND)
    later(source)
    back = ask(source)
    lines += [announcements([back]), announcements([ask(source)])]

    assert [len(some) for some in lines] == [1, 0, 0, 0, 1, 0]
    assert "404" in lines[0][0] and "recovered" in lines[4][0]
    assert [entry.title for entry in back.entries] == ["a"]


def test_who_fails_is_left_alone_ever_longer(site: Web, override: Callable[..., None]) -> None:
    override(MONITOR__LONGEST_WAIT_HOURS=6)
    source = Source(name="News", url=site.serve("/feed", "gone", status=410))
    waits = []
    for _ in range(5):
        state = ask(source).state
        assert state.next_try
        waits.append(round((state.next_try - now()) / timedelta(hours=1)))
        later(source)

    assert waits == [1, 2, 4, 6, 6]


def test_nobody_asks_before_the_time_a_server_named(site: Web) -> None:
    url = site.serve("/feed", "busy", status=503, Retry_After="72000")
    source = Source(name="News", url=url)

    first, second = ask(source), ask(source)

    assert (first.result, second.result) == ("broken", "waiting")
    assert first.state.next_try and first.state.next_try - now() > timedelta(hours=19)
    assert site.visits("/feed") == 1


@pytest.mark.parametrize(
    "path", ["/loop", "/endless", "/bomb?gzip", "/short", "/reset", "/nonsense", "/empty", "/cut"]
)
def test_a_hostile_feed_ends_in_one_clear_reason(site: Web, path: str) -> None:
    checked = check(Source(name="Bad", url=site.base + path))

    assert checked.result == "broken"
    assert checked.reason and "Traceback" not in checked.reason


def test_a_parser_that_chokes_stops_no_other_source(
    site: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Source(name="Good", url=site.serve("/good", RSS.format(ITEM.format("a")), KIND))
    bad = Source(name="Bad", url=site.serve("/bad", RSS.format(ITEM.format("b")), KIND))
    real = monitoring.feeds.entries

    def choke(body: bytes, source: Source, url: str, kind: str) -> object:
        if source.name == "Bad":
            raise AttributeError("no such thing")
        return real(body, source, url, kind)

    monkeypatch.setattr(monitoring.feeds, "entries", choke)

    assert [one.result for one in check_all([good, bad])] == ["new", "broken"]


def test_a_file_of_the_owners_list_is_read_from_the_disk(tmp_path: Path) -> None:
    feed = tmp_path / "feed.rss"
    feed.write_text(RSS.format(ITEM.format("a")))
    source = Source(name="Disk", url=feed.as_uri())

    assert [ask(source).result for _ in range(2)] == ["new", "unchanged"]
    feed.unlink()
    assert "No such file" in ask(source).reason


def test_releases_are_read_from_the_feed_of_the_repository(site: Web) -> None:
    site.serve("/owner/name/releases.atom", RSS.format(ITEM.format("v1")), KIND)
    source = Source(name="Tool", kind="github", url=site.base + "/owner/name")

    assert [entry.title for entry in check(source).entries] == ["v1"]


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {("thirdshift", "x"): "s3cret"}
    monkeypatch.setattr(keyring, "get_password", lambda *asked: kept.get(asked))


def test_posts_come_with_the_owners_token_and_only_new_ones(
    site: Web, override: Callable[..., None], token: None
) -> None:
    override(MONITOR__X_API=site.base)
    said = {
        "data": [{"id": "7", "text": "We roast &amp; ship", "author_id": "1",
                  "created_at": "2026-05-01T10:00:00.000Z"}],
        "includes": {"users": [{"id": "1", "username": "kumo"}]},
        "meta": {"newest_id": "7"},
    }  # fmt: skip
    site.serve("/2/tweets/search/recent", json.dumps(said), "application/json")
    source = Source(name="Kumo", kind="x", query="from:kumo")

    (post,) = ask(source).entries
    ask(source)

    assert (post.url, post.title) == ("https://x.com/kumo/status/7", "We roast & ship")
    assert site.requests[0].headers["authorization"] == "Bearer s3cret"
    assert "since_id=7" in site.requests[1].query


@pytest.mark.parametrize(("status", "body"), [(401, "no"), (200, "[]"), (200, '{"data": [{}]}')])
def test_an_api_that_refuses_or_rambles_breaks_the_source_with_a_reason(
    site: Web, override: Callable[..., None], token: None, status: int, body: str
) -> None:
    override(MONITOR__X_API=site.base)
    site.serve("/2/tweets/search/recent", body, "application/json", status)

    checked = check(Source(name="Kumo", kind="x", query="from:kumo"))

    assert checked.result == "broken" and "s3cret" not in checked.reason


def test_without_a_token_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_password", lambda *_: None)

    assert "keyring set thirdshift x" in check(Source(name="K", kind="x", query="q")).reason


def test_a_server_that_sends_us_elsewhere_does_not_get_the_token(
    site: Web, override: Callable[..., None], token: None
) -> None:
    with Web() as other:
        override(MONITOR__X_API=site.base, WEB__ALLOWED_HOSTS=json.dumps([site.host, other.host]))
        other.serve("/", "{}", "application/json")
        site.raw(
            "/2/tweets/search/recent",
            lambda connection, _: connection.sendall(answer(b"", 302, Location=other.base + "/")),
        )
        check(Source(name="Kumo", kind="x", query="q"))

        assert "authorization" not in other.requests[0].headers
