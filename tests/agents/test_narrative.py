"""The narrative: whatever a model says, no wrong number, sign, unit, date or name gets through."""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from agents import narrative
from agents.narrative import Sentence, Wording, narrate
from tasks.analysis.insights import Insights, PeriodChange
from tasks.analysis.phrasing import sentence
from tasks.grounding.findings import find_faults, written_numbers
from tasks.text.figures import day
from thirdshift.analysis import Analysis
from thirdshift.errors import RuntimeUnavailable
from thirdshift.findings import Finding, Quantity

MARCH, SUNDAY = pd.Timestamp("2026-03-02"), pd.Timestamp("2026-03-08")


def analysis(language: str = "en") -> Analysis:
    return Analysis.model_validate(
        {
            "name": "shop",
            "folder": Path("/"),
            "title": "Shop",
            "source": {"kind": "csv", "path": "shop.csv"},
            "time": {"column": "date"},
            "measures": [
                {"column": "revenue", "title": "Sales", "unit": "JPY"},
                {"column": "items", "title": "Items sold"},
            ],
            "dimensions": ["shop"],
            "questions": ["Why did sales fall last week?"],
            "language": language,
        }
    )


def moved(measure: str, before: float, after: float, unit: str, member: str = "") -> Finding:
    change = after - before
    values = [
        Quantity(name="change", value=change, unit=unit),
        Quantity(name="before", value=before, unit=unit),
        Quantity(name="after", value=after, unit=unit),
        Quantity(name="change_percent", value=100 * change / before, unit="%"),
    ]
    if member:
        values.append(Quantity(name="contribution_percent", value=64.25, unit="%"))
    return Finding(
        kind="mover",
        measure=measure,
        start=MARCH,
        end=SUNDAY,
        score=1,
        direction="up" if change > 0 else "down",
        values=tuple(values),
        unit=unit,
        members=(("shop", member),) if member else (),
        method="difference",
    )


FALL = moved("revenue", 2_069_740, 1_753_281, "JPY")
SHOPS = [
    moved("revenue", 1_155_017, 844_485, "JPY", "Teramachi"),
    moved("revenue", 700_250, 650_900, "JPY", "Kitayama"),
]
OUTLIER = Finding(
    kind="anomaly",
    measure="items",
    start=MARCH,
    end=MARCH,
    score=9,
    direction="up",
    values=(
        Quantity(name="observed", value=742.5),
        Quantity(name="expected", value=-371.8),
        Quantity(name="deviation", value=1114.3),
    ),
    method="robust z",
    q_value=0.001,
)
INSIGHTS = Insights(
    changes=[PeriodChange(total=FALL, movers=SHOPS, period="W")], findings=[OUTLIER], carriers=[[]]
)
NAMES = {"Sales", "Items sold", "revenue", "items", "Teramachi", "Kitayama"}


def stands(said: str, finding: Finding, *own: str) -> bool:
    return not find_faults(said, finding, own, NAMES)


TRUE = (
    "Sales fell by 316,459 JPY, from 2,069,740 JPY to 1,753,281 JPY, in 2026-03-02 to 2026-03-08."
)


@pytest.mark.parametrize(
    "said",
    [
        TRUE,
        "Sales declined by 15.3 % from 2,069,740 JPY to 1,753,281 JPY.",
        "Sales are down by 15.29%: at 1,753,281 JPY, where 2,069,740 JPY was usual before.",
        "Sales dropped by 15 percent.",
    ],
)
def test_a_true_sentence_stands(said: str) -> None:
    assert find_faults(said, FALL, ["Sales"], NAMES) == []


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ("number", "Sales fell by 316,495 JPY."),
        ("number, rounded the wrong way", "Sales fell by 16 %."),
        ("number, far too coarse", "Sales fell by 20 %."),
        ("sign", "Sales rose by 316,459 JPY."),
        ("sign", "Sales changed by +316,459 JPY and fell."),
        ("unit", "Sales fell by 316,459 EUR."),
        ("unit", "Sales fell by 316,459 %."),
        ("unit", "Sales fell by 15.29 JPY."),
        ("unit", "Sales fell by 15.29 percentage points."),
        ("unit", "Sales fell by $316,459."),
        ("magnitude", "Sales fell by 316,459k JPY."),
        ("magnitude", "Sales fell by 316,459 million JPY."),
        ("magnitude", "Sales fell by 316 thousand JPY."),
        ("roles", "Sales fell from 1,753,281 JPY to 2,069,740 JPY."),
        ("roles", "Sales fell by 2,069,740 JPY."),
        ("roles", "Sales fell to 316,459 JPY."),
        ("date", "Sales fell by 15.29 % on 2026-03-09."),
        ("date", "Sales fell by 15.29 %, from 2026-03-08 to 2026-03-02."),
        ("date", "Sales fell by 15.29 % in March."),
        ("date", "Sales fell by 15.29 % last Monday."),
        ("date", "Sales fell by 15.29 % on 2 March 2026."),
        ("date", "Sales fell by 15.29 % in 2025."),
        ("name", "Items sold fell by 15.29 %."),
        ("name", "Sales of Kitayama fell by 15.29 %."),
        ("name", "It fell by 15.29 %."),
        ("words", "Sales halved, and fell by 15.29 %."),
        ("words", "Sales fell by fifteen percent."),
        ("words", "Sales fell by a quarter."),
        ("words", "Sales fell two-fold."),
        ("negation", "Sales did not fall by 15.29 %."),
        ("negation", "Sales didn't fall by 15.29 %."),
        ("negation", "Sales stopped falling by 15.29 %."),
        ("cause", "Sales fell by 15.29 % because of the weather."),
        ("superlative", "Sales fell by 15.29 %, the worst ever."),
        ("forecast", "Sales fell by 15.29 % and will fall by 15.29 % again."),
        ("contradiction", "Sales fell by 15.29 % and rose."),
        ("no direction", "Sales was at 1,753,281 JPY."),
        ("full width", "Sales fell by ３１６,４９５ JPY."),
        ("markup", "Sales fell by 15.29 % [x](http://a.example)."),
        ("empty", ""),
    ],
)
def test_a_lie_does_not(lie: str, said: str) -> None:
    assert find_faults(said, FALL, ["Sales"], NAMES), lie


def test_a_swapped_member_a_missing_minus_and_a_strange_unit_do_not_stand() -> None:
    kitayama = "Teramachi: Sales fell by 49,350 JPY."
    assert find_faults(kitayama, SHOPS[1], ["Sales", "Kitayama"], NAMES)
    assert not stands(
        "Items sold was high: at 742.5, where 371.8 was expected.", OUTLIER, "Items sold"
    )
    assert stands(
        "Items sold was high: at 742.5, where -371.8 was expected.", OUTLIER, "Items sold"
    )
    assert not stands("Items sold was high: at 742.5 JPY.", OUTLIER, "Items sold")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_plain_sentence_stands_its_own_check(language: str) -> None:
    said = analysis(language)
    for finding in INSIGHTS.all:
        own = narrative._own(finding, said)
        assert find_faults(sentence(finding, said), finding, own, NAMES) == [], finding.kind


@pytest.mark.parametrize(
    "said",
    [
        "Salesは2,069,740JPYから1,753,281JPYに、316,459JPY増えました。",
        "Salesは1,753,281JPYから2,069,740JPYに減りました。",
        "Salesは約三割減りました。",
        "Salesは316,495JPY減りました。",
        "Salesは１５.９２%減りました。",
        "Salesは15.29%減りませんでした。",
        "Salesは15.29%減らずに済みました。",
        "Salesは先週15.29%減りました。",
    ],
)
def test_a_japanese_lie_does_not_stand_either(said: str) -> None:
    assert find_faults(said, FALL, ["Sales"], NAMES)


class Liar:
    """A model that words each finding rightly, then lies about something in it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.said: list[str] = []

    def answer(self, tier: str, schema: type, prompt: str, **_: Any) -> Wording:
        asked = re.findall(r'"finding": (\d+)', prompt)
        wanted = [FALL, SHOPS[0], OUTLIER, SHOPS[1]]
        drafted = []
        for number in map(int, asked):
            true = sentence(self.dice.choice(wanted), analysis())
            self.said.append(self._lie(true))
            drafted.append(Sentence(finding=number, sentence=self.said[-1]))
        return Wording(sentences=drafted)

    def _lie(self, true: str) -> str:
        lies: list[Callable[[str], str]] = [
            lambda s: re.sub(
                r"\d(?=[,.\d]* (JPY|%))", lambda m: str((int(m[0]) + 3) % 10), s, count=1
            ),
            lambda s: s.replace("fell", "rose").replace("high", "low"),
            lambda s: s.replace("JPY", self.dice.choice(["EUR", "%", "kg", "million JPY"]), 1),
            lambda s: s.replace(" %", self.dice.choice([" JPY", " percentage points", ""]), 1),
            lambda s: s.replace("2026-03-0", "2026-04-0", 1),
            lambda s: s.replace("Teramachi", "Kitayama").replace("Sales", "Items sold", 1),
            lambda s: re.sub(r"from ([\d,. A-Z]+) to ([\d,. A-Z]+)(?=[.,])", r"from \2 to \1", s),
            lambda s: s.replace(" by ", " to ", 1),
            lambda s: s.replace("fell by", "did not fall by"),
            lambda s: s.replace("at 742.5", "at -742.5"),
            lambda s: s.replace(",", "", 1).replace(",", ".", 1),
            lambda s: s + " It will rise by 12 %.",
        ]
        return self.dice.choice(lies)(true)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], None]]:
    def serve(answer: Any) -> None:
        monkeypatch.setattr(narrative, "structured", answer)
        monkeypatch.setattr(narrative, "runtime", lambda: SimpleNamespace(billions=lambda _: 8.0))

    yield serve


def test_a_hundred_lying_runs_bring_no_wrong_number_into_a_report(
    model: Callable[[Any], None],
) -> None:
    """Each sentence that gets through is looked at apart from the checker: it must be true."""
    said = analysis()
    true = {sentence(one, said) for one in INSIGHTS.all}
    facts = {f"{abs(q.value):.2f}" for one in INSIGHTS.all for q in one.values}
    lied = 0
    for seed in range(100):
        liar = Liar(seed)
        model(liar.answer)
        told = narrate(INSIGHTS, said)
        lied += sum(text not in true for text in liar.said)
        texts = [*told.takeaways, *(one for answer in told.answers for one in answer.statements)]
        assert len(told.takeaways) == 3
        for one in texts:
            if one.by == "plain":
                assert one.text in true
                continue
            bare = re.sub(r"\d{4}-\d\d-\d\d", "", one.text)
            for number in written_numbers(bare):
                near = [f for f in facts if abs(float(f) - abs(number.value)) <= 0.05]
                assert near, one.text
            assert one.text in true or re.sub(r"[,.]", "", one.text) in {
                re.sub(r"[,.]", "", text) for text in true
            }, one.text
    assert lied > 400


def test_an_honest_model_is_quoted_and_a_half_honest_one_marked(
    model: Callable[[Any], None],
) -> None:
    def half(tier: str, schema: type, prompt: str, **_: Any) -> Wording:
        lie = Sentence(finding=1, sentence="Sales rose by 99 %.")
        shops = "Sales of Teramachi fell by 310,532 JPY, from 1,155,017 JPY to 844,485 JPY."
        return Wording(sentences=[lie, *(Sentence(finding=n, sentence=shops) for n in range(2, 9))])

    model(half)
    told = narrate(INSIGHTS, analysis())

    by = [one.by for one in told.takeaways]
    assert sorted(by) == ["model", "plain", "plain"]
    assert "99" not in told.model_dump_json()
    assert told.why_plain == ""


def test_without_a_model_all_is_plain_and_the_report_says_why(model: Callable[[Any], None]) -> None:
    def gone(*_: Any, **__: Any) -> Wording:
        raise RuntimeUnavailable("No model server answers.")

    model(gone)
    told = narrate(INSIGHTS, analysis())

    assert {one.by for one in told.takeaways} == {"plain"}
    assert "No model server answers." in told.why_plain


def test_a_question_is_answered_by_the_change_and_those_who_pushed_it() -> None:
    found = narrative.findings_on("Why did sales fall last week?", INSIGHTS, analysis())

    assert found == [FALL, *SHOPS]
    assert narrative.findings_on(
        "Which days were unusual for items sold?", INSIGHTS, analysis()
    ) == [OUTLIER]
    assert day(FALL.end) == "2026-03-08"
