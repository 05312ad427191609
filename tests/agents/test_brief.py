"""The brief: a model may word it, arithmetic decides whether it stands."""

import pytest

from agents.brief import is_true, plain

FACTS = {
    "runs": 4,
    "done": 3,
    "nothing_to_do": 0,
    "skipped": 0,
    "deferred": 0,
    "failed": 1,
    "documents_in_memory": 27,
}


@pytest.mark.parametrize(
    "sentence",
    [
        "Of 4 runs, 3 were done and 1 failed.",
        "There were 4 runs: 3 done, 1 failed, and 27 documents are in memory.",
    ],
)
def test_a_sentence_of_facts_stands(sentence: str) -> None:
    assert is_true(sentence, FACTS)


@pytest.mark.parametrize(
    "sentence",
    [
        "All 4 runs were done.",  # silent on the failure
        "3 runs failed and 1 was done.",  # numbers changed places
        "There were 5 runs, 1 failed.",
        "2,",
        "",
        "The night went well and nothing failed at all.",
    ],
)
def test_a_wrong_number_or_a_silence_does_not(sentence: str) -> None:
    assert not is_true(sentence, FACTS)


def test_the_plain_rendering_says_the_counts() -> None:
    assert plain(FACTS) == "4 runs: 3 done, 1 failed. 27 documents in memory."
