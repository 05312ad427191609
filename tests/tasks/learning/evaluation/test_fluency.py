"""Gibberish and loops are told from sound text, in both languages."""

import pytest

from tasks.learning.evaluation.fluency import (
    Text,
    distinct,
    is_sound,
    repetition,
)

SCRAPS = "A HIGGS extraord SADLY superv horm pix"
SOUND = [
    "The sea is deep and full of life, and it covers most of our planet.",
    "海は深くて、たくさんの生き物がいます。地球の大部分をおおっています。",
    "Yes.",
]
LOOPS = [
    "the cat and the cat and the cat and the cat and the cat and the cat",
    "そうですねそうですねそうですねそうですねそうですねそうですねそうですね",
    "................................................",
]


@pytest.mark.parametrize("text", SOUND)
def test_sound_text_does_not_repeat_itself(text: str) -> None:
    assert repetition(text) < 0.1
    assert is_sound(Text(text=text, nats=1.5), limit=5)


@pytest.mark.parametrize("text", LOOPS)
def test_loops_are_found(text: str) -> None:
    assert repetition(text) > 0.5
    assert not is_sound(Text(text=text, nats=0.1), limit=5)


def test_scraps_and_silence_are_not_sound() -> None:
    assert not is_sound(Text(text=SCRAPS, nats=8.1), limit=5)
    assert not is_sound(Text(text=" \n", nats=0), limit=5)


def test_the_same_answer_to_everything_has_no_variety() -> None:
    assert distinct(SOUND[:1] * 10) < 0.2
    assert distinct(["The sea is deep.", "A phone rings.", "Tea is hot."]) == 1
    assert distinct([]) == 0
