"""`thirdshift sources`: the list, the lists of others, checks that keep nothing, stories."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli import console
from deployments.cli.app import app, main
from tasks.newsroom import monitoring
from tasks.newsroom.sources import watchlist
from tests.hostile import Web
from thirdshift.settings import settings

ODD = "[red]x[/] <b>:bug:"
ONE = "https://one.example/feed"


def said(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["sources", *words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout


def told(*words: str, code: int = 0) -> Any:
    return json.loads(said(*words, "--json", code=code))


def rows(*words: str, code: int = 0) -> list[list[str]]:
    """Return the lines of a table, a line as its words."""
    return [line.split() for line in said(*words, code=code).splitlines()[1:]]


def names() -> list[str]:
    return [source.name for source in watchlist().sources]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.out, "width", 300)


@pytest.fixture
def mistake(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that makes a mistake in the real command and returns what it is told."""

    def make(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["thirdshift", "sources", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert (ended.value.code, printed.out) == (1, "")
        return printed.err

    return make


@pytest.fixture
def feeds(site: Web) -> Web:
    """Serve a feed with one item of an odd title, and list it beside one that is not there."""
    item = f"<item><title><![CDATA[{ODD.replace('<b>', '')}]]></title><link>/1</link></item>"
    site.serve("/good", f"<rss version='2.0'><channel><title>T</title>{item}</channel></rss>")
    said("add", f"{site.base}/good", "--name", "Good", "--all")
    said("add", f"{site.base}/absent", "--name", "Gone")
    return site


def look() -> None:
    """Look at the sources as the hourly run does."""
    listed = watchlist()
    monitoring.take_in(monitoring.check_all(listed.sources), listed)


def test_without_a_source_it_says_how_to_list_one() -> None:
    assert "sources add URL" in said("list")
    assert told("list") == []


def test_what_is_added_is_listed_by_its_host_or_by_the_name_it_was_given() -> None:
    said("add", ONE)
    said("add", "https://two.example/", "--name", "Two", "--kind", "page", "--keyword", "rust")
    said("add", "from:nasa", "--kind", "x", "--all")

    assert rows("list") == [
        ["one.example", "feed", ONE, "-"],
        ["Two", "page", "https://two.example/", "-"],
        ["from:nasa", "x", "from:nasa", "-"],
    ]
    first, second, third = told("list")
    assert (first["url"], first["all"], first["state"]) == (ONE, False, None)
    assert second["keywords"] == ["rust"]
    assert (third["query"], third["url"], third["all"]) == ("from:nasa", "", True)


@pytest.mark.parametrize("url", [ONE, "file:feeds/news.rss"])
def test_the_same_address_is_listed_once_whatever_it_is_called(url: str) -> None:
    assert said("add", url, "--name", "One").strip() == "Added: One."
    assert "already" in said("add", url, "--name", "Another")

    assert names() == ["One"]


@pytest.mark.parametrize("url", ["", "one.example/feed", "http://[one", "https:///feed"])
def test_what_is_no_address_is_not_listed(mistake: Any, url: str) -> None:
    assert "https://" in mistake("add", url)
    assert "from:nasa" in mistake("add", " ", "--kind", "x")
    assert not settings().sources_file.exists()


def test_odd_names_are_printed_as_they_are(mistake: Any) -> None:
    assert said("add", ONE, "--name", ODD).strip() == f"Added: {ODD}."

    assert [row[:3] for row in rows("list")] == [["[red]x[/]", "<b>:bug:", "feed"]]
    assert f"There are: {ODD}." in mistake("remove", "[/]")
    assert said("remove", ODD).strip() == f"Removed: {ODD}."


def test_a_source_is_removed_by_its_name_or_by_what_is_listed_as_its_address() -> None:
    for place, kind in [(ONE, "feed"), ("https://two.example/", "page"), ("from:nasa", "x")]:
        said("add", place, "--kind", kind, "--name", kind)

    for name in ("feed", "https://two.example/", "from:nasa"):
        assert said("remove", name).strip() == f"Removed: {name}."
    assert names() == []


def test_removing_or_checking_an_unknown_name_names_those_there_are(mistake: Any) -> None:
    assert "There are: none." in mistake("remove", "Olds")
    said("add", ONE, "--name", "News")

    for command in ("remove", "check"):
        assert "NotFound: No source is called Olds." in (told := mistake(command, "Olds"))
        assert "There are: News." in told
    assert names() == ["News"]


@pytest.mark.parametrize("text", ["- a", "sources: [a]", "sources: ["])
@pytest.mark.parametrize("words", [["remove", "a"], ["add", ONE], ["list"], ["check"]])
def test_a_list_that_cannot_be_read_is_named_and_left_as_it_is(
    mistake: Any, home: Path, words: list[str], text: str
) -> None:
    home.mkdir()
    settings().sources_file.write_text(text)

    assert f"SettingsInvalid: {settings().sources_file}" in mistake(*words)
    assert settings().sources_file.read_text() == text


def test_a_check_names_what_is_broken_and_keeps_nothing(feeds: Web) -> None:
    good, gone = rows("check", code=1)

    assert good == ["Good", "new", "1", "[red]x[/]", ":bug:"]
    assert gone[:3] == ["Gone", "broken", "0"]
    assert "404" in " ".join(gone)
    assert monitoring.standing(watchlist().sources) == {}
    assert told("stories") == []


def test_a_check_of_one_source_asks_no_other(feeds: Web) -> None:
    (found,) = told("check", "Good")

    assert (found["result"], found["entries"][0]["title"]) == ("new", "[red]x[/] :bug:")
    assert feeds.visits("/absent") == 0


def test_what_is_left_alone_after_a_failure_is_checked_all_the_same(feeds: Web) -> None:
    look()
    look()
    assert feeds.visits("/absent") == 1  # the second look left it alone

    (found,) = told("check", "Gone", code=1)

    assert found["result"] == "still broken"
    assert feeds.visits("/absent") == 2


def test_the_list_says_which_source_is_broken_and_why(feeds: Web) -> None:
    look()

    good, gone = told("list")
    assert good["state"]["checked_at"] and not good["state"]["broken_since"]
    assert gone["state"]["broken_since"] and "404" in gone["state"]["reason"]
    assert "404" in said("list")


def test_stories_are_listed_with_why_they_were_taken(feeds: Web) -> None:
    assert said("stories", "--since", "2w").strip() == "Nothing was found in the last 2w."

    look()

    (story,) = told("stories")
    assert (story["decision"], story["source"]) == ("matched", "Good")
    assert story["reason"]
    assert rows("stories")[0][:4] == ["matched", "Good", "[red]x[/]", ":bug:"]


def test_a_length_of_time_that_is_none_is_refused(mistake: Any) -> None:
    assert "24h, 7d or 2w" in mistake("stories", "--since", "yesterday")


def test_feeds_go_out_as_opml_and_come_back(tmp_path: Path) -> None:
    file = tmp_path / "mine.opml"
    said("add", f"{ONE}?a=1&b=2", "--name", ODD)
    said("add", "https://github.com/astral-sh/uv", "--kind", "github", "--name", "uv")
    said("add", "https://page.example/", "--kind", "page")

    said("export", str(file))
    assert said("export") == file.read_text()
    for name in names():
        said("remove", name)

    assert "2 feeds in mine.opml, 2 added." in said("import", str(file))
    assert "2 feeds in mine.opml, 0 added." in said("import", str(file))
    assert [(source.name, source.url) for source in watchlist().sources] == [
        (ODD, f"{ONE}?a=1&b=2"),
        ("uv", "https://github.com/astral-sh/uv/releases.atom"),
    ]


@pytest.mark.parametrize("text", ["", "<html></html>", ONE, None])
def test_a_file_that_is_no_opml_is_named_and_adds_nothing(
    mistake: Any, tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "mine.opml"
    if text is not None:
        file.write_text(text)

    assert str(file) in mistake("import", str(file))
    assert names() == []


def test_a_place_that_cannot_be_written_to_is_named(mistake: Any, tmp_path: Path) -> None:
    file = tmp_path / "absent" / "mine.opml"

    assert f"{file} cannot be written" in mistake("export", str(file))
