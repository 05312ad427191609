"""A story is taken by words or by meaning, once, within the day's cap; each decision says why."""

from collections.abc import Callable

import pytest
import yaml

from tasks import memory
from tasks.newsroom import stories
from tasks.newsroom.matching import first_keyword, judge
from thirdshift.newsroom import Entry, Source, Watchlist
from thirdshift.paths import DATASETS
from thirdshift.records import Note

CALIBRATION = DATASETS / "calibration" / "texts.yaml"

HARVEST = (
    "Growers in southern Huila expect 18 percent less parchment than last year. Rain in February "
    "knocked the flowers off the upper slopes, and leaf rust has come back to farms."
)
RETOLD = (
    "Farmers in the south of Huila expect 18 percent less parchment coffee than a year ago, as "
    "rain in February knocked flowers off the upper slopes and leaf rust returned to farms."
)


def entry(title: str, summary: str, source: str = "A", url: str = "") -> Entry:
    url = url or f"https://{source.lower()}.example/{abs(hash(title))}"
    return Entry(source=source, url=url, title=title, summary=summary)


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("The ＣＯＦＦＥＥ harvest", "coffee", True),
        ("Coffeehouse", "coffee", False),
        ("C++ and more", "c++", True),
        ("生豆の保管", "生豆", True),
        ("ｺｰﾋｰの話", "コーヒー", True),
        ("cold  brew", "Cold brew", True),
        ("anything", " ", False),
    ],
)
def test_keywords_are_found_whatever_their_width_and_case(
    text: str, word: str, found: bool
) -> None:
    assert bool(first_keyword(text, [word])) is found


def test_a_keyword_takes_a_story_and_an_unrelated_one_is_left_with_its_reason() -> None:
    listed = Watchlist(keywords=("harvest",), interests=("green coffee harvests",))

    taken, left = judge(
        [entry("Harvest is small", HARVEST), entry("Tram lines", "A new tram opens.")], listed
    )

    assert (taken.decision, left.decision) == ("matched", "unmatched")
    assert "harvest" in taken.reason and "wanted" in left.reason


def test_an_interest_takes_a_story_by_meaning() -> None:
    listed = Watchlist(interests=("where to keep coffee in summer",))
    cooled = "Two floors of a warehouse are held at 18 degrees; beans kept there scored higher."

    (story,) = judge([entry("Kobe adds cooled floors for green coffee", cooled)], listed)

    assert story.decision == "matched" and "keep coffee" in story.reason


def test_the_owners_own_papers_are_an_interest_and_what_came_from_the_web_is_none() -> None:
    memory.remember([Note(text=HARVEST, title="Harvest")])
    memory.remember([Note(text="A new tram line opens in Lyon.", provenance="untrusted_web")])

    near, far = judge(
        [entry("Less parchment", RETOLD), entry("Trams", "A new tram line opens in Lyon.")],
        Watchlist(),
    )

    assert near.decision == "matched" and "Harvest" in near.reason
    assert far.decision == "unmatched"


def test_everyday_texts_are_no_ones_interest() -> None:
    texts = yaml.safe_load(CALIBRATION.read_text())
    listed = Watchlist(
        interests=("green coffee prices, harvests and storage", "焙煎機の手入れと生豆の保管")
    )
    entries = [
        entry(text[:20], text) for text in texts["passages_en"][:20] + texts["passages_ja"][:20]
    ]

    taken = [story for story in judge(entries, listed) if story.decision != "unmatched"]

    assert len(taken) <= 1


def test_one_story_of_many_feeds_is_one() -> None:
    listed = Watchlist(keywords=("huila",))
    told = [
        entry("Huila harvest smaller than hoped", HARVEST, "A", "https://a.example/huila"),
        entry("Other", "Huila.", "B", "http://www.a.example/huila/?utm_source=x#top"),
        entry("Huila harvest smaller than hoped", RETOLD, "C"),
        entry("HARVEST in Huila is poor", HARVEST, "D"),
    ]

    decisions = [story.decision for story in judge(told, listed)]

    assert decisions == ["matched", "duplicate", "duplicate", "duplicate"]
    assert judge(told, listed) == []  # seen


def test_two_releases_and_two_daily_reports_are_two_stories() -> None:
    listed = Watchlist(sources=(Source(name="A", url="x", all=True),))
    told = [
        entry("Release 1.2.3", "Fixes.", "A"),
        entry("Release 1.2.4", "Fixes.", "B"),
        entry("Prices today", "Arabica closed at 312 cents, up four.", "A"),
        entry("Prices today", "Robusta fell; rain in Vietnam.", "A", "https://a.example/2"),
    ]

    assert "duplicate" not in [story.decision for story in judge(told, listed)]


def test_the_best_go_first_under_the_cap_and_the_others_stay_on_record(
    override: Callable[..., None],
) -> None:
    override(MONITOR__STORIES_A_DAY=1)
    listed = Watchlist(keywords=("huila",), interests=("green coffee harvests",))

    first = judge(
        [entry("Harvest", HARVEST.replace("Huila", "Cauca")), entry("Huila", HARVEST)], listed
    )
    second = judge([entry("Huila again", "Huila opens a port.", "B")], listed)

    assert {story.title: story.decision for story in first} == {
        "Harvest": "capped",
        "Huila": "matched",
    }
    assert second[0].decision == "capped" and "stories_a_day" in second[0].reason
    assert stories.find(second[0].id).decision == "capped"
