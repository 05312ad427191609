"""The owner's list keeps its comments, refuses what it does not know, and travels as OPML."""

from pathlib import Path

import pytest

from tasks.newsroom.sources import (
    add,
    feed_url,
    from_opml,
    remove,
    to_opml,
    watchlist,
)
from thirdshift.errors import NotFound, SettingsInvalid
from thirdshift.newsroom import Source
from thirdshift.paths import DATASETS
from thirdshift.settings import settings

SAMPLE = DATASETS / "sources.yaml"


def test_the_sample_list_names_files_that_exist() -> None:
    listed = watchlist(SAMPLE)

    paths = [Path(source.url.removeprefix("file://")) for source in listed.sources]
    assert paths and all(path.exists() for path in paths)
    assert "生豆" in listed.keywords


def test_without_a_list_nothing_is_watched() -> None:
    assert watchlist().sources == ()


def test_the_first_source_makes_a_list_that_explains_its_keys() -> None:
    add([Source(name="News", url="https://news.example/feed")])

    assert "# keywords    a story" in settings().sources_file.read_text()
    assert [source.name for source in watchlist().sources] == ["News"]


def test_adding_and_removing_keeps_the_owners_comments(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text(
        "# mine\nkeywords: [a]  # why\nsources:\n  - name: One\n    url: https://one.example/\n"
    )

    add([Source(name="Two", url="https://two.example/")], file)
    remove("One", file)

    assert file.read_text().startswith("# mine\nkeywords: [a]  # why\n")
    assert [source.name for source in watchlist(file).sources] == ["Two"]


def test_the_same_address_is_listed_once_and_names_stay_apart(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    news = Source(name="News", url="https://one.example/")

    assert add([news, news.model_copy(update={"name": "Again"})], file) == [news]
    add([Source(name="News", url="https://two.example/")], file)

    assert [source.name for source in watchlist(file).sources] == ["News", "News (two.example)"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sources: [{name: A, kind: fax, url: 'https://a.example'}]", "source A: kind"),
        ("sources: [{name: A, kind: x}]", "needs a query"),
        ("sources: [{name: A}]", "needs a url"),
        ("sources: [{name: A, url: 'https://a.example', colour: red}]", "colour"),
        ("sources: 3", "source 1"),
        ("- a\n- b", "not a list of sources"),
        ("sources: [", "not YAML"),
        ("keywords: 5\n", "keywords"),
    ],
)
def test_a_wrong_list_is_refused_with_the_key_that_is_wrong(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "list.yaml"
    file.write_text(text)

    with pytest.raises(SettingsInvalid, match=told):
        watchlist(file)


def test_removing_what_is_not_there_names_what_is() -> None:
    add([Source(name="News", url="https://news.example/feed")])

    with pytest.raises(NotFound, match="There are: News"):
        remove("Olds")


def test_feeds_go_out_as_opml_and_come_back(tmp_path: Path) -> None:
    sources = [
        Source(name='Beans & "more" <b>', url="https://one.example/feed?a=1&b=2"),
        Source(name="uv", kind="github", url="https://github.com/astral-sh/uv"),
        Source(name="A page", kind="page", url="https://page.example/"),
    ]
    file = tmp_path / "list.opml"
    file.write_text(to_opml(sources))

    back = from_opml(file)

    assert [(source.name, source.url) for source in back] == [
        ('Beans & "more" <b>', "https://one.example/feed?a=1&b=2"),
        ("uv", "https://github.com/astral-sh/uv/releases.atom"),
    ]
    assert feed_url(sources[1]) == back[1].url


@pytest.mark.parametrize("text", ["", "http://127.0.0.1/", "<html></html>"])
def test_what_is_not_opml_is_refused_and_never_fetched(tmp_path: Path, text: str) -> None:
    file = tmp_path / "list.opml"
    file.write_text(text)

    with pytest.raises(SettingsInvalid, match="not an OPML file"):
        from_opml(file)


def test_opml_that_is_cut_short_loses_no_feed_in_silence(tmp_path: Path) -> None:
    file = tmp_path / "list.opml"
    feeds = [Source(name=name, url=f"https://{name}.example/feed") for name in ("one", "two")]
    file.write_text(to_opml(feeds)[:-40])

    with pytest.raises(SettingsInvalid, match="cut short"):
        from_opml(file)


def test_files_and_scripts_do_not_come_in_by_opml(tmp_path: Path) -> None:
    file = tmp_path / "list.opml"
    file.write_text(
        '<opml version="2.0"><body><outline type="rss" text="x" xmlUrl="file:///etc/passwd"/>'
        '<outline type="rss" text="y" xmlUrl="javascript:1"/></body></opml>'
    )

    assert from_opml(file) == []
