"""Verdicts shared out: what one click moves, what fades, what is told from its document."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tasks.feedback.credit import (
    Credit,
    credit,
    pooled,
    shares,
)
from thirdshift.learning import Feedback, Rating

TODAY = date(2026, 5, 1)


def _verdict(n: int, verdict: Rating = "bad", age: int = 0, question: str = "") -> Feedback:
    moment = datetime(2026, 5, 1, tzinfo=UTC) - timedelta(days=age) + timedelta(seconds=n)
    asked = question or f"question {n}"
    return Feedback(
        id=str(n),
        turn_id=str(n),
        verdict=verdict,
        question=asked,
        answer="a",
        chunk_ids=["c"],
        tier="quote",
        created_at=moment,
    )


def _weight(*feedback: Feedback) -> float:
    return credit(feedback, TODAY).get("c", Credit()).weight


def test_one_click_moves_little_and_consistent_ones_much() -> None:
    one, ten = _weight(_verdict(0)), _weight(*map(_verdict, range(10)))

    assert 0.85 < one < 1
    assert ten < 0.7
    assert 1 < _weight(_verdict(0, "good")) < 1.1


def test_insisting_on_one_question_does_not_help_and_its_newest_verdict_counts() -> None:
    bad = [_verdict(n, question="Same?") for n in range(9)]

    assert _weight(*bad) == _weight(bad[-1])
    assert _weight(*bad, _verdict(9, "good", question=" same ")) > 1


def test_a_verdict_fades_with_the_months() -> None:
    fresh, old, oldest = (1 - _weight(_verdict(0, age=age)) for age in (0, 90, 3600))

    assert 0.4 * fresh < old < 0.7 * fresh
    assert oldest < 0.001


def test_only_many_questions_against_a_passage_call_for_a_review() -> None:
    bad = [_verdict(n) for n in range(8)]

    assert not credit(bad[:2], TODAY)["c"].is_consistently_bad
    assert credit(bad, TODAY)["c"].is_consistently_bad
    mixed = [*bad, *(_verdict(n, "good") for n in range(10, 16))]
    assert not credit(mixed, TODAY)["c"].is_consistently_bad


def test_the_rest_of_an_outdated_document_leans_but_is_not_accused() -> None:
    own = credit(map(_verdict, range(9)), TODAY)
    found = pooled(own, {"c": "old", "sibling": "old", "other": "new"})

    assert found["c"].weight < found["sibling"].weight < found["other"].weight == 1
    assert not found["sibling"].is_consistently_bad


def test_a_refusal_accuses_no_passage() -> None:
    assert credit([_verdict(0).model_copy(update={"tier": "none"})], TODAY) == {}


@given(st.integers(1, 200))
def test_a_verdict_is_shared_out_whole_and_mostly_to_the_first(count: int) -> None:
    parts = shares(count)

    assert abs(sum(parts) - 1) < 1e-9
    assert list(parts) == sorted(parts, reverse=True)


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1))
def test_a_weight_stays_where_scores_stay_in_order(good: float, bad: float, lean: float) -> None:
    assert 0.5 <= Credit(good=good, bad=bad, lean=lean).weight <= 1.2
