"""Feeds of every kind are read, and what is none of them ends in a reason."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.newsroom.feeds import entries, plain
from tasks.pages.links import address
from thirdshift.errors import FeedBroken
from thirdshift.newsroom import Source
from thirdshift.paths import DATASETS

SAMPLES = DATASETS / "samples"
HERE = Source(name="Here", url="https://here.example/feed")
RSS = b"<rss version='2.0'><channel><title>T</title>%s</channel></rss>"


def read(body: bytes, kind: str = "") -> list[tuple[str, str]]:
    return [(one.title, one.url) for one in entries(body, HERE, HERE.url, kind)]


@pytest.mark.parametrize(
    ("name", "title"),
    [("coffee-news.rss", "Huila harvest"), ("roaster-blog.atom", "梅雨の前にすること")],
)
def test_rss_and_atom_are_read(name: str, title: str) -> None:
    found = entries((SAMPLES / name).read_bytes(), HERE, HERE.url)

    assert len(found) == 4
    assert found[0].title.startswith(title)
    assert found[0].published_at and found[0].published_at.tzinfo


def test_json_feed_is_read() -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "T",
        "items": [
            {"id": "1", "url": "/a", "title": "A", "content_html": "<p>One &amp; two</p>",
             "date_published": "2026-05-01T10:00:00+09:00"},
            {"id": "2", "content_text": "No title and no address"},
            "not an item",
        ],
    }  # fmt: skip

    found = entries(json.dumps(feed).encode(), HERE, HERE.url)

    assert [(one.title, one.url) for one in found] == [
        ("A", "https://here.example/a"),
        ("No title and no address", "https://here.example/2"),
    ]
    assert found[0].summary == "One & two"
    assert found[0].published_at == datetime(2026, 5, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   \n",
        b"<html><body>Not found</body></html>",
        b"just words",
        b"/etc/passwd",
        b"http://127.0.0.1/feed",
        b"{",
        b"[]",
        b'{"version": "https://jsonfeed.org/version/1", "items": 3}',
        b'{"items": []}',
        b"[" * 100_000,
        b"\x00\x01\x02" * 100,
        b"\xff\xfe<\x00r\x00",
        b"<?xml version='1.0' encoding='klingon'?><a/>",
        b"<rss><channel><item><title>x",
        b"%PDF-1.7",
        b"\x1f\x8b\x08\x00rubbish",
        b"<a>" * 50_000,
    ],
)
def test_what_is_no_feed_is_said_to_be_none_or_has_no_entries(body: bytes) -> None:
    try:
        assert read(body) in ([], [("x", "https://here.example/feed")])
    except FeedBroken as error:
        assert error.what


def test_entities_that_multiply_do_not() -> None:
    bomb = b"<!DOCTYPE rss [<!ENTITY a 'ha'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(8)
    )
    feed = bomb + b"]>" + RSS % b"<item><title>&i;</title><link>https://x.example</link></item>"

    try:
        assert len(str(read(feed))) < 10_000
    except FeedBroken as error:
        assert error.what


def test_no_file_of_this_machine_is_read_by_an_entity(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("TOP-SECRET")
    feed = f"<!DOCTYPE rss [<!ENTITY x SYSTEM '{secret.as_uri()}'>]>".encode()
    feed += RSS % b"<item><title>A &x;</title><link>https://x.example</link></item>"

    try:
        assert "TOP-SECRET" not in str(read(feed))
    except FeedBroken as error:
        assert "TOP-SECRET" not in str(error)


def test_a_feed_that_breaks_off_gives_what_came_before() -> None:
    item = b"<item><title>A</title><link>https://x.example/a</link></item>"

    assert read((RSS % (item + b"<item><title>B"))[:-17])[0] == ("A", "https://x.example/a")


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "file:///etc/passwd", "data:x", "ftp://a/b"]
)
def test_links_that_may_not_be_followed_leave_no_entry(link: str) -> None:
    item = f"<item><title>A</title><link>{link}</link></item>".encode()

    assert read(RSS % item) == []


def test_a_feed_on_the_disk_names_files_beside_it_only(tmp_path: Path) -> None:
    feed = (tmp_path / "feed.rss").as_uri()

    assert address("pages/a.html", feed) == (tmp_path / "pages" / "a.html").as_uri()
    assert address("../other.html", feed) == ""
    assert address("https://x.example/", feed) == "https://x.example/"


def test_markup_and_what_hides_in_it_becomes_plain_text() -> None:
    html = "<p>Beans &amp; water</p><script>steal()</script><style>p{}</style>\x07"

    assert plain(html) == "Beans & water"


def test_encodings_and_impossible_dates_do_no_harm() -> None:
    item = "<item><title>豆</title><link>https://x.example/</link><pubDate>99 Foo</pubDate></item>"
    feed = f"<?xml version='1.0' encoding='shift_jis'?>{(RSS % b'%s').decode() % item}"

    (found,) = entries(feed.encode("shift_jis"), HERE, HERE.url)

    assert (found.title, found.published_at) == ("豆", None)


def test_a_feed_of_a_hundred_thousand_entries_gives_the_first_ones() -> None:
    item = b"<item><title>A%d</title><link>https://x.example/%d</link></item>"

    assert len(read(RSS % b"".join(item % (n, n) for n in range(2_000)))) == 200
