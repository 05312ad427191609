"""Refining memory by verdicts: measured on the sample papers, repeatable, undoable, told."""

import random
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks import memory
from tasks.feedback.credit import credit
from tasks.feedback.examples import delete, give_feedback, taught
from tasks.feedback.rankings import comparison, rankings
from tasks.feedback.refinement import (
    considered,
    flagged,
    refine,
    refinements,
    undo,
)
from tasks.feedback.turns import keep_turn
from tasks.memory.ingestion import ingest
from tasks.memory.store import store
from tasks.memory.superseding import PREFIX
from thirdshift.errors import NotFound
from thirdshift.learning import Rating
from thirdshift.records import Note

TODAY = date.today()
GIVEN: dict[str, Any] = yaml.safe_load(
    Path("tests/samples/refining.yaml").read_text(encoding="utf-8")
)
OLD = "The roaster was serviced in March. It is due again in September."
QUESTION = "When is the next service of the roaster?"
PARAPHRASE = "next roaster service date"


def _judge(question: str, verdict: Rating, correction: str = "") -> list[str]:
    cited = [hit.chunk_id for hit in memory.recall(question, 5)]
    turn = keep_turn(question, "An answer.", cited, tier="quote")
    give_feedback(verdict, turn, correction)
    return cited


def _texts(question: str) -> list[str]:
    return [hit.text for hit in memory.recall(question, 5)]


def _state() -> dict[str, tuple[float, str]]:
    rows = store().rows("chunks", None, ["id", "weight", "status"]).to_pylist()
    return {row["id"]: (round(row["weight"], 4), row["status"]) for row in rows}


@pytest.fixture
def papers() -> None:
    """Remember the papers the questions are about, and older versions of two of them."""
    named = {topic["paper"] for topic in GIVEN["topics"]} | {row[1] for row in GIVEN["unrelated"]}
    ingest([Path("datasets/samples") / name for name in sorted(named)])
    memory.remember([Note(text=one["text"], source=one["source"]) for one in GIVEN["older"]])


def _reciprocal(asked: Sequence[tuple[str, str]]) -> float:
    """Return the mean reciprocal rank of the right paper."""
    total = 0.0
    for question, paper in asked:
        names = [Path(hit.document).name for hit in memory.recall(question, 10)]
        total += 1 / (names.index(paper) + 1) if paper in names else 0.0
    return total / len(asked)


@pytest.mark.slow
def test_thirty_rounds_help_other_questions_and_harm_no_unrelated_one(papers: None) -> None:
    topics = GIVEN["topics"]
    others = [(question, topic["paper"]) for topic in topics for question in topic["others"]]
    asked = [(question, topic["paper"]) for topic in topics for question in topic["asked"]]
    unrelated = [(question, paper) for question, paper in GIVEN["unrelated"]]
    before = _reciprocal(others), _reciprocal(unrelated)

    chance = random.Random(0)
    for turn in range(30):
        question, paper = chance.choice(asked)
        first = Path(memory.recall(question, 1)[0].document).name
        _judge(question, "good" if first == paper else "bad")
        if turn % 10 == 9:
            refine(TODAY)

    after = _reciprocal(others), _reciprocal(unrelated)
    assert after[0] > before[0] + 0.05, (before, after)
    assert after[1] >= before[1], (before, after)


def test_refining_twice_changes_nothing_more_and_undoing_restores_all() -> None:
    memory.remember([OLD, "The shop opens at eight.", "Invoices are paid within thirty days."])
    before = _state()
    _judge(QUESTION, "bad")
    _judge("What is due in September?", "correct", "The burner is due in October.")

    assert refine(TODAY)
    changed = _state()
    assert refine(TODAY) is None
    assert _state() == changed != before

    undo()
    assert _state() == before
    assert refine(TODAY) is None  # what was undone stays so
    with pytest.raises(NotFound):
        undo()
    assert [one.undone for one in refinements()] == [True]

    _judge(QUESTION, "bad")  # given anew, it counts
    assert refine(TODAY)


def test_a_correction_answers_its_question_alone_and_comes_first_for_a_paraphrase() -> None:
    memory.remember([OLD, "The shop opens at eight.", "Invoices are paid within thirty days."])
    _judge(QUESTION, "correct", "It was moved to 21 October.")
    refine(TODAY)

    assert "21 October" in _texts(QUESTION)[0]
    assert OLD not in _texts(QUESTION)
    assert "21 October" in _texts(PARAPHRASE)[0]
    assert OLD in _texts("When was the roaster serviced, in which month?")
    assert _texts("When does the shop open?")[0] == "The shop opens at eight."


def test_a_later_correction_takes_the_place_of_the_earlier_one() -> None:
    memory.remember([OLD])
    _judge(QUESTION, "correct", "On 21 October.")
    refine(TODAY)
    _judge("When is the next service of the roaster, please?", "correct", "On 2 November.")
    refine(TODAY)

    said = [text for text in _texts(QUESTION) if "On " in text]
    assert len(said) == 1
    assert "2 November" in said[0]


def test_a_correction_that_repeats_a_recalled_passage_is_not_stored_anew() -> None:
    memory.remember([OLD])
    _judge(QUESTION, "correct", OLD)
    refine(TODAY)

    assert store().count("chunks") == 1


def test_a_forgotten_correction_stays_forgotten_and_a_deleted_verdict_takes_it_along() -> None:
    memory.remember([OLD])
    _judge(QUESTION, "correct", "On 21 October.")
    refine(TODAY)
    corrected = f"starts_with(uri, '{PREFIX}')"
    (row,) = store().rows("chunks", corrected, ["document_id"]).to_pylist()

    memory.forget([row["document_id"]])
    refine(TODAY)
    assert store().count("chunks", corrected) == 0

    _judge(QUESTION, "correct", "On 22 October.")
    refine(TODAY)
    assert store().count("chunks", corrected) == 1

    for one in taught("feedback"):
        delete(one.id)
    refine(TODAY)
    assert store().count("chunks", corrected) == 0
    assert {weight for weight, _ in _state().values()} == {1.0}


def test_a_consistently_bad_passage_is_flagged_and_still_recalled() -> None:
    (document,) = memory.remember([OLD])
    for number in range(8):
        _judge(f"Roaster question {number}?", "bad")
    made = refine(TODAY)

    assert made is not None
    (row,) = flagged()
    assert row["text"] == OLD
    assert _texts(QUESTION) == [OLD]
    assert memory.forget([document]) == 1


def test_weights_outlast_a_new_reading_of_the_document() -> None:
    roaster = "## Roaster\n\n" + f"{OLD} " * 8
    memory.remember(
        [Note(text=f"{roaster}\n\n## Shop\n\n{'It opens at eight. ' * 30}", source="log")]
    )
    _judge(QUESTION, "bad")
    refine(TODAY)
    judged = {chunk: state for chunk, state in _state().items() if state[0] < 1}

    memory.remember(
        [Note(text=f"{roaster}\n\n## Shop\n\n{'It opens at nine. ' * 30}", source="log")]
    )

    kept = judged.items() & _state().items()
    assert min(weight for _, (weight, _) in kept) == min(weight for weight, _ in judged.values())


def test_what_changed_is_told_with_ranks_before_and_after() -> None:
    memory.remember([OLD, "The roaster runs on gas.", "The shop opens at eight."])
    _judge(QUESTION, "correct", "On 21 October.")
    before = rankings(considered())
    made = refine(TODAY)

    assert made is not None
    rows = comparison(made.changes, before, rankings(considered()))
    correction = next(row for row in rows if row["what"] == "correction")
    assert (correction["rank before"], correction["rank after"]) == (None, 1)
    assert any(row["what"] == "weight" and row["rank before"] == 1 for row in rows)


def test_a_derived_text_gains_no_weight() -> None:
    memory.remember([Note(text=OLD, source="report", provenance="derived")])
    for number in range(5):
        _judge(f"Roaster question {number}?", "good")
    refine(TODAY)

    assert {weight for weight, _ in _state().values()} == {1.0}
    assert all(one.weight > 1 for one in credit(considered(), TODAY).values())
