"""Paired bootstrap: what is beyond chance, and what is not."""

import random

import pytest

from tasks.learning.evaluation.bootstrap import interval


def test_an_interval_holds_the_mean_and_narrows_with_more_items() -> None:
    draw = random.Random(1)
    changes = [draw.gauss(0.2, 1) for _ in range(400)]
    few, many = interval(changes[:40]), interval(changes)
    assert few.low < few.mean < few.high
    assert many.high - many.low < few.high - few.low
    assert interval(changes) == many  # seeded


def test_no_effect_is_rarely_taken_for_one() -> None:
    draw = random.Random(2)
    nights = [interval([draw.gauss(0, 1) for _ in range(30)]) for _ in range(100)]
    false_gains = sum(one.low > 0 for one in nights)
    assert false_gains <= 8  # 2.5 of 100 expected


def test_items_of_one_topic_count_once() -> None:
    changes = [1.0] * 20 + [-1.0, -0.9, -1.1]
    topics = ["the same"] * 20 + ["a", "b", "c"]
    assert interval(changes).low > 0
    assert interval(changes, topics).mean == pytest.approx(-0.5)
    assert interval(changes, topics).n == 4


def test_one_figure_or_equal_ones_are_their_own_interval() -> None:
    assert interval([0.5]).low == interval([0.5]).high == 0.5
    assert interval([0.1, 0.1, 0.1]).low == pytest.approx(0.1)
    with pytest.raises(ValueError, match="no changes"):
        interval([])
