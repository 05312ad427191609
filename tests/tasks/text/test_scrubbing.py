"""Scrubbing, measured on a list of identifiers that must go and of look-alikes that must stay."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.text.scrubbing import detect, scrub

LISTED: dict[str, Any] = yaml.safe_load(
    Path("tests/samples/scrubbing.yaml").read_text(encoding="utf-8")
)
GOES = [(kind, text.replace("~", ""), part) for kind, text, part in LISTED["must_go"]]


def test_few_identifiers_survive_and_few_look_alikes_go() -> None:
    missed = [text for _, text, part in GOES if part in scrub(text)]
    alarms = [text for text in LISTED["must_stay"] if scrub(text) != text]

    assert len(missed) <= 4, missed  # the four that the list names as known
    assert not alarms


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in GOES}))
def test_what_goes_is_called_by_its_kind(kind: str) -> None:
    called = [
        kind in {detection.kind for detection in detect(text)}
        for named, text, part in GOES
        if named == kind and part not in scrub(text)
    ]

    assert called
    assert all(called)


def test_what_surrounds_an_identifier_is_kept_to_the_letter() -> None:
    text = "Ｔａｎａｂｅ（電話０７５（２１２）３４５６）は、info@kumo.exampleへ。"

    assert scrub(text) == "Ｔａｎａｂｅ（電話[phone]）は、[email]へ。"


def test_scrubbing_twice_changes_nothing_more() -> None:
    once = [scrub(text) for _, text, _ in GOES]

    assert [scrub(text) for text in once] == once


def test_a_long_hostile_text_comes_to_an_end() -> None:
    for text in ("1-" * 10_000, "a@" * 20_000, "password" * 5_000, "A1b" * 9_000, ":" * 40_000):
        assert isinstance(scrub(text), str)
