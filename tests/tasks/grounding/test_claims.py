"""What a passage says passes; what was invented, changed or turned round does not."""

import re

import pytest

from tasks.grounding.claims import checked, unsupported
from thirdshift.newsroom import Claim, Passage

HARVEST = Passage(
    id="harvest",
    url="https://ledger.example/huila",
    title="Huila harvest smaller than hoped after a wet flowering",
    text="Growers in southern Huila expect 18 percent less parchment than last year. Rain in "
    "February knocked the flowers off the upper slopes, and leaf rust has come back to farms that "
    "had not seen it since 2013. Exporters say that contracts signed before April will be kept, "
    "but new ones are quoted a quarter higher.",
)
STUDY = Passage(
    id="study",
    url="https://ledger.example/study",
    title="Study: drinkers cannot tell nitrogen-flushed from vacuum-packed after six weeks",
    text="In a triangle test with 84 drinkers, 31 picked the odd cup, which is close to chance. "
    "After twelve weeks the difference became plain, in favour of nitrogen. Bags without a valve "
    "were not part of the test. Storage costs 9 yen per bag and day.",
)
DAMP = Passage(
    id="damp",
    url="https://kumo.example/journal/rainy-season",
    title="梅雨の前にすること",
    text="湿気は生豆の敵です。袋を壁から離し、除湿機を二台動かし、湿度計を見る回数を朝と夕の二回に増やします。"
    "生豆の水分が12%を超えると、焙煎の始まりが遅れて味がぼやけます。",
)
PASSAGES = {passage.id: passage for passage in (HARVEST, STUDY, DAMP)}

TRUE = [
    (HARVEST, "Growers in Huila expect 18 percent less parchment than last year."),
    (HARVEST, "Huila growers expect an 18 percent smaller harvest than last year."),
    (HARVEST, "Rain in February knocked flowers off the upper slopes."),
    (HARVEST, "According to exporters, contracts signed before April will be kept."),
    (HARVEST, "New contracts are quoted a quarter higher."),
    (STUDY, "In a test with 84 drinkers, 31 picked the odd cup."),
    (STUDY, "After 12 weeks the difference became plain."),
    (STUDY, "Drinkers cannot tell nitrogen-flushed from vacuum-packed after six weeks."),
    (STUDY, "Storage costs 9 yen per bag and day."),
    (DAMP, "湿気は生豆の敵です。"),
    (DAMP, "除湿機を2台動かし、湿度計を見る回数を増やします。"),
    (DAMP, "生豆の水分が12％を超えると、味がぼやけます。"),
]

LIES = [
    (HARVEST, "Growers in Huila expect 18 percent more parchment than last year."),
    (HARVEST, "Growers in Huila harvested 18 percent less parchment than last year."),
    (HARVEST, "Growers in Cauca expect 18 percent less parchment than last year."),
    (HARVEST, "Growers in Huila expect 18 tons less parchment than last year."),
    (HARVEST, "Leaf rust has come back to farms that had seen it since 2013."),
    (HARVEST, "Frost has come back to farms."),
    (HARVEST, "Contracts signed after April will be kept."),
    (HARVEST, "Contracts signed before April will not be kept."),
    (HARVEST, "New contracts are quoted a quarter lower."),
    (HARVEST, "The minister resigned."),
    (STUDY, "In a test with 31 drinkers, 84 picked the odd cup."),
    (STUDY, "Storage costs 9 dollars per bag and day."),
    (STUDY, "Storage costs 9 yen per bag and month."),
    (STUDY, "Drinkers can tell nitrogen-flushed from vacuum-packed after six weeks."),
    (STUDY, "Bags without a valve were part of the test."),
    (STUDY, "After six weeks the difference became plain."),
    (DAMP, "生豆の水分が12%を下回ると、味がぼやけます。"),
    (DAMP, "生豆の水分が12%を超えると、味がぼやけません。"),
    (DAMP, "除湿機を三台動かします。"),
    (DAMP, "湿気は焙煎機の敵です。"),
    (DAMP, "Humidity is the enemy of green coffee."),
]


@pytest.mark.parametrize(("passage", "text"), TRUE)
def test_what_a_passage_says_is_supported(passage: Passage, text: str) -> None:
    assert unsupported(text, passage) == ""


@pytest.mark.parametrize(("passage", "text"), LIES)
def test_what_a_passage_does_not_say_is_not(passage: Passage, text: str) -> None:
    assert unsupported(text, passage)


def test_no_changed_number_passes() -> None:
    """Every number of every true claim, changed in nine ways."""
    passed = []
    for passage, text in TRUE:
        for found in re.finditer(r"\d+", text):
            value = int(found[0])
            for other in (
                value + 1,
                value - 1,
                value * 10,
                value * 2,
                -value,
                value + 100,
                7,
                3,
                1000,
            ):
                lie = text[: found.start()] + str(other) + text[found.end() :]
                if other != value and not unsupported(lie, passage):
                    passed.append(lie)
    assert not passed


def test_citations_of_what_does_not_exist_hold_nothing_up() -> None:
    claims = [
        Claim(text="Storage costs 9 yen per bag and day.", passages=["study", "ghost"]),
        Claim(text="Storage costs 9 yen per bag and day.", passages=["ghost"]),
        Claim(text="Storage costs 9 yen per bag and day.", passages=[]),
        Claim(text="Storage costs 9 yen per bag and day.", passages=["harvest"]),
    ]

    marked = checked(claims, PASSAGES)

    assert [claim.supported for claim in marked] == [True, False, False, False]
    assert marked[0].passages == ["study"]
    assert all(claim.why for claim in marked[1:])
