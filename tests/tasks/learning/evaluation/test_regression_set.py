"""The general regression set is sound, and a leaning is a share."""

from collections import Counter

import pytest

from tasks.learning.evaluation.regression_set import Prompt, leaning, regression_set


def test_the_set_has_each_skill_in_both_languages_and_no_item_twice() -> None:
    kept = regression_set()
    assert 60 <= len(kept.items) <= 100
    assert {item.skill for item in kept.items if item.language == "ja"} == {
        "facts", "arithmetic", "instructions", "formatting", "nonsense", "language",
    }  # fmt: skip
    assert min(Counter(item.skill for item in kept.items).values()) >= 6
    asked = [item.model_dump_json() for item in kept.items]
    assert len(set(asked)) == len(asked)
    assert all(item.right not in item.wrong for item in kept.items)


def test_right_answers_are_told_from_wrong_ones() -> None:
    capital = next(prompt for prompt in regression_set().prompts if "France" in prompt.prompt)
    assert capital.is_right("The capital of France is Paris.")
    assert not capital.is_right("The capital of France is Parisienne.")
    assert {prompt.language for prompt in regression_set().prompts} == {"en", "ja"}


def test_a_leaning_is_a_share_also_where_numbers_are_far_below_zero() -> None:
    assert leaning([-3.0, -3.0]) == pytest.approx(0.5)
    assert leaning([-800.0, -900.0]) == pytest.approx(1.0)
    assert leaning([-900.0, -800.0, -901.0]) == pytest.approx(0.0)
    assert Prompt(language="en", prompt="?", right="").is_right("anything")
