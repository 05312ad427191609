"""Teaching by the command: verdicts, preferences, the list of what was taught, forgetting."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.app import app
from tasks import memory
from tasks.feedback.examples import give_feedback
from tasks.feedback.refinement import refine
from tasks.feedback.turns import keep_turn
from tasks.models.protocol import ModelRuntime
from thirdshift.errors import NotCollected, NotFound

NOTE = "The roaster was serviced in March, by Mr Okabe."


def _invoke(*words: str, given: str | None = None) -> Any:
    return CliRunner().invoke(app, list(words), input=given, catch_exceptions=False)


def _json(*words: str) -> Any:
    return json.loads(_invoke(*words, "--json").stdout)


@pytest.fixture
def asked(engine: ModelRuntime) -> str:
    memory.remember([NOTE])
    return str(_json("ask", "When was the roaster serviced?")["id"])


def test_a_verdict_binds_question_answer_and_sources(asked: str) -> None:
    _invoke("feedback", "bad")
    _invoke("feedback", "correct", "In May.", asked[:8])

    (row,) = _json("examples", "list", "--kind", "feedback")["feedback"]
    assert (row["turn_id"], row["verdict"], row["correction"]) == (asked, "correct", "In May.")
    assert row["chunk_ids"] == [memory.recall(NOTE, 1)[0].chunk_id]
    assert "March" in row["answer"]


def test_what_was_taught_is_listed_shown_and_deleted(asked: str) -> None:
    _invoke("feedback", "correct", "In [May].")
    listed = _invoke("examples", "list").stdout
    identity = _json("examples", "list")["examples"][0]["id"]

    assert "correct" in listed
    assert "In [May]." in listed
    assert "In [May]." in _invoke("examples", "show", identity[:8]).stdout
    assert "examples" in _invoke("examples", "delete", identity[:8]).stdout
    assert _json("examples", "list")["examples"] == []
    with pytest.raises(NotFound):
        _invoke("examples", "show", identity)


def test_a_choice_between_two_answers_of_the_model_is_kept(
    engine: ModelRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.candidates._MOST", 16)
    asked = _invoke("prefer", "Name a fruit.", given="b\n")

    (row,) = _json("examples", "list")["preferences"]
    first, second = ("".join(row[kind].split()) for kind in ("rejected", "chosen"))
    shown = "".join(asked.stdout.split())
    assert row["model"] == engine.model("sentinel")
    assert shown.index(f"a{first}") < shown.index(f"b{second}")


def test_neither_of_two_answers_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.candidates.candidates", lambda _: ("One.", "Two."))

    assert _invoke("prefer", "Name a number.", given="neither\n").exit_code == 0
    assert _json("examples", "list")["preferences"] == []


def test_both_answers_may_be_given() -> None:
    _invoke("prefer", "Greet.", "--chosen", "Good morning.", "--rejected", "Yo.")

    assert _json("examples", "list")["preferences"][0]["chosen"] == "Good morning."
    assert _invoke("prefer", "Greet.", "--chosen", "Good morning.").exit_code == 2


def test_without_consent_no_model_is_even_asked(override: Callable[..., None]) -> None:
    override(LEARNING__COLLECT_PREFERENCES="false", MODELS__RUNTIME="ollama")

    with pytest.raises(NotCollected, match="collect_preferences"):
        _invoke("prefer", "Name a fruit.")


def test_what_is_recalled_can_be_forgotten_by_its_id() -> None:
    memory.remember([NOTE])
    (hit,) = _json("search", "roaster")

    assert "1 chunks" in _invoke("forget", hit["chunk_id"]).stdout
    assert _json("search", "roaster") == []
    with pytest.raises(NotFound, match="search --json"):
        _invoke("forget", hit["chunk_id"])


def test_what_a_night_changed_is_listed_and_taken_back() -> None:
    memory.remember([NOTE])
    cited = [hit.chunk_id for hit in memory.recall(NOTE)]
    give_feedback("bad", keep_turn("When was it?", "In May.", cited, tier="quote"))
    assert "from the next night" in _invoke("refine", "list").stdout
    refine(date.today())

    assert "1 weight" in _invoke("refine", "list").stdout
    assert "Nothing awaits review" in _invoke("refine", "review").stdout
    assert "1 weight taken back" in _invoke("refine", "undo").stdout
    assert _json("refine", "list")[0]["undone"]
