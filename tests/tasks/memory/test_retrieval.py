"""Remembering, recalling, forgetting: with the real store and the real embedding model."""

import pytest

from tasks import memory
from tasks.memory import chunks, indexing
from tasks.memory.store import store
from tasks.models.embedding import embedder
from thirdshift.errors import EmbeddingMismatch
from thirdshift.records import Note

ROASTER = "The roaster was serviced in March. The next service is due in September."
HOURS = "京都店の営業時間は朝八時から午後六時までです。"


def test_recall_finds_by_meaning_in_either_language() -> None:
    memory.remember([ROASTER, HOURS, "Invoices are paid within thirty days."])

    assert memory.recall("When must the machine be maintained again?", 1)[0].text == ROASTER
    assert memory.recall("お店は何時に開きますか", 1)[0].text == HOURS
    assert memory.recall("What time does the Kyoto shop open?", 1)[0].text == HOURS


def test_recall_finds_by_a_rare_word_that_no_vector_knows() -> None:
    memory.remember([ROASTER, HOURS, "Shelf QX-7741 holds the spare gaskets."])

    assert "QX-7741" in memory.recall("QX-7741", 1)[0].text


def test_scores_lie_between_nought_and_one_and_fall() -> None:
    memory.remember([ROASTER, HOURS, "Invoices are paid within thirty days."])

    scores = [hit.score for hit in memory.recall("service of the roaster", 3)]

    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_the_same_text_is_remembered_once() -> None:
    first = memory.remember([ROASTER])

    assert memory.remember([ROASTER]) == first
    assert store().count("chunks") == 1


def test_a_note_of_the_same_source_replaces_the_earlier_one() -> None:
    memory.remember([Note(text="The shop opens at nine.", source="hours")])
    memory.remember([{"text": "The shop opens at eight.", "source": "hours"}])

    assert [hit.text for hit in memory.recall("When does the shop open?")] == [
        "The shop opens at eight."
    ]


def test_what_is_forgotten_is_gone_by_document_and_by_chunk() -> None:
    first, _ = memory.remember([ROASTER, HOURS])
    chunk = memory.recall(HOURS, 1)[0].chunk_id

    assert memory.forget([first]) == 1
    assert memory.forget([chunk]) == 1
    assert memory.recall("roaster") == []


def test_a_chunk_keeps_its_weight_and_name_when_its_document_grows() -> None:
    memory.remember([Note(text=ROASTER, source="log")])
    store().update("chunks", "true", weight=1.5)
    name = memory.recall(ROASTER, 1)[0].chunk_id

    memory.remember([Note(text=f"{ROASTER}\n\n{'A new burner came. ' * 80}", source="log")])

    weights = {r["id"]: r["weight"] for r in store().rows("chunks").to_pylist()}
    assert len(weights) > 1
    assert weights.get(name, 1.5) == 1.5


def test_derived_text_never_outranks_the_same_words_of_its_source() -> None:
    memory.remember([Note(text=ROASTER, title="a", source="report", provenance="derived")])
    memory.remember([Note(text=ROASTER, title="a", source="log")])

    assert memory.recall(ROASTER, 2)[0].provenance == "owner"


def test_an_odd_query_finds_something_or_nothing_but_never_fails() -> None:
    memory.remember([ROASTER, HOURS])

    for query in ("", "   ", "?", "'", '"; DROP', "*:*", "AND OR NOT", "\x00", "🙂", "a" * 5000):
        assert isinstance(memory.recall(query), list)


def test_another_embedding_model_is_refused_and_reindex_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory.remember([ROASTER, HOURS])
    monkeypatch.setattr(type(embedder()), "name", "another-model", raising=False)

    with pytest.raises(EmbeddingMismatch, match="thirdshift reindex"):
        memory.recall("roaster")

    assert indexing.reindex() == 2
    assert memory.recall("roaster", 1)[0].text == ROASTER
    assert chunks.model() == "another-model"
