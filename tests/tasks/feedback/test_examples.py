"""Verdicts, examples, preferences and edits: what is kept, withdrawn, refused and scrubbed."""

from collections.abc import Callable

import pytest

from tasks.feedback import examples
from tasks.feedback.turns import keep_turn, purge_turns, turn
from thirdshift.errors import NotCollected, NotFound, ThirdShiftError

QUESTION, ANSWER = "When is the next service?", "It is due on 14 September."


def _ask(tier: str = "sentinel", answer: str = ANSWER) -> str:
    return keep_turn(QUESTION, answer, ["c1", "c2"], tier=tier, model="m")


def _count(kind: str) -> int:
    return len(examples.taught(kind))


def test_a_good_answer_of_a_model_becomes_an_example_bound_to_all_it_stood_on() -> None:
    identity = _ask()

    feedback = examples.give_feedback("good")

    (example,) = examples.taught("examples")
    assert (feedback.turn_id, feedback.verdict) == (identity, "good")
    assert isinstance(example, examples.Example)
    assert (example.prompt, example.completion) == (QUESTION, ANSWER)
    assert (example.chunk_ids, example.model, example.turn_id) == (["c1", "c2"], "m", identity)


def test_quoted_passages_are_not_an_example_of_how_to_write() -> None:
    _ask(tier="quote")

    examples.give_feedback("good")

    assert (_count("feedback"), _count("examples")) == (1, 0)


def test_a_correction_is_an_example_and_preferred_to_what_the_model_said() -> None:
    identity = _ask()

    examples.give_feedback("correct", identity[:8], "On 21 September.")

    (preference,) = examples.taught("preferences")
    assert isinstance(preference, examples.Preference)
    assert (preference.chosen, preference.rejected) == ("On 21 September.", ANSWER)
    assert _count("examples") == 1


def test_the_last_verdict_on_a_turn_counts_and_takes_back_what_the_earlier_taught() -> None:
    _ask()
    examples.give_feedback("correct", correction="On 21 September.")

    examples.give_feedback("bad")

    assert [row.verdict for row in examples.taught("feedback")] == ["bad"]  # type: ignore[union-attr]
    assert (_count("examples"), _count("preferences")) == (0, 0)


def test_an_edit_is_an_example_and_a_preference_and_an_untouched_draft_only_an_example() -> None:
    edited = examples.record_edit("Write on cold brew", "A draft.", "A better draft.", model="m")
    approved = examples.record_edit("Write on grinders", "As it was.", "As it was.")

    assert (len(edited), len(approved)) == (2, 1)
    assert examples.record_edit("Write on cold brew", "A draft.", "A better draft.") == edited
    assert (_count("examples"), _count("preferences")) == (2, 1)


def test_whoever_changes_their_mind_between_two_answers_is_left_with_one_preference() -> None:
    examples.prefer("q", "a", "b")
    kept = examples.prefer("q", "b", "a")

    assert [row.id for row in examples.taught("preferences")] == [kept.id]


def test_nothing_reaches_an_example_unscrubbed() -> None:
    examples.keep_example("Who is 090-1234-5678?", "Mari, mari@kumo.example.")
    examples.prefer("q", "Ring 075-212-3456.", "The password is hunter2secret.")

    kept = " ".join(
        str(row) for kind in ("examples", "preferences") for row in examples.taught(kind)
    )
    assert not any(part in kept for part in ("090-1234", "mari@", "075-212", "hunter2"))
    assert "[phone]" in kept


@pytest.mark.parametrize("kind", ["feedback", "examples", "preferences"])
def test_what_the_settings_do_not_allow_is_refused_by_the_name_of_the_key(
    override: Callable[..., None], kind: str
) -> None:
    override(**{f"LEARNING__COLLECT_{kind.upper()}": "false"})
    _ask()
    give = {
        "feedback": lambda: examples.give_feedback("good"),
        "examples": lambda: examples.keep_example("q", "a"),
        "preferences": lambda: examples.prefer("q", "a", "b"),
    }[kind]

    with pytest.raises(NotCollected, match=f"learning.collect_{kind}"):
        give()

    assert _count(kind) == 0


def test_an_edit_keeps_what_may_be_kept(override: Callable[..., None]) -> None:
    override(LEARNING__COLLECT_EXAMPLES="false")

    assert len(examples.record_edit("p", "before", "after")) == 1
    assert (_count("examples"), _count("preferences")) == (0, 1)


def test_a_verdict_that_is_deleted_takes_along_what_it_taught() -> None:
    _ask()
    feedback = examples.give_feedback("good")

    assert examples.delete(feedback.id[:10]) == "feedback"
    assert _count("examples") == 0
    with pytest.raises(NotFound, match="examples list"):
        examples.delete(feedback.id)


@pytest.mark.parametrize("identity", ["abc", "nothing-like-it", "'; DROP", "%%%%"])
def test_an_id_that_names_nothing_is_not_found(identity: str) -> None:
    _ask()

    with pytest.raises(NotFound):
        examples.find(identity)
    with pytest.raises(NotFound):
        turn(identity)


def test_a_verdict_before_any_question_says_what_to_do() -> None:
    with pytest.raises(NotFound, match="thirdshift ask"):
        examples.give_feedback("good")


def test_a_correction_needs_its_text_and_a_preference_two_answers() -> None:
    _ask()

    with pytest.raises(ThirdShiftError, match="needs its text"):
        examples.give_feedback("correct", correction="  ")
    with pytest.raises(ThirdShiftError, match="the same"):
        examples.prefer("q", "a", " a ")
    with pytest.raises(ThirdShiftError, match="not empty"):
        examples.keep_example("q", " ")


def test_turns_go_when_their_time_is_over_and_verdicts_stay(
    override: Callable[..., None],
) -> None:
    _ask()
    examples.give_feedback("good")
    override(LEARNING__KEEP_TURNS_DAYS="1e-9")

    assert purge_turns() == 1
    assert _count("feedback") == 1


def test_no_turn_is_kept_where_the_settings_keep_none(override: Callable[..., None]) -> None:
    override(LEARNING__KEEP_TURNS_DAYS="0")

    assert _ask() == ""
