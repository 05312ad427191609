"""Data sets: clean, without doubles, split by topic, held to expectations, repeatable."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tasks.feedback.examples import keep_example, prefer
from tasks.learning.curation import rows as curated_rows
from tasks.learning.curation.dataset import curate
from tasks.learning.curation.deduplication import without_doubles
from tasks.learning.curation.splits import assign_splits, clusters
from tasks.models.embedding import embedder
from thirdshift.errors import DatasetInvalid, TooLittleData
from thirdshift.learning import Dataset, Example

ABOUT = {
    "grinder": ["clean the grinder", "change the burrs of the grinder", "set the grinder finer"],
    "holidays": ["summer holidays of the shop", "winter holidays of the shop", "ask for holidays"],
    "label": ["print the label", "address on the label", "language of the label"],
    "milk": ["牛乳の保存", "牛乳の期限", "牛乳を温める"],
    "stall": ["祭りの屋台の場所", "祭りの屋台の時間", "祭りの屋台の値段"],
    "water": ["hardness of the water", "water for dark roasts", "water from the well"],
    "wages": ["給料日", "給料の振込", "給料と交通費"],
    "rent": ["rent of the roastery", "the contract of the rent", "when the rent ends"],
}


@pytest.fixture
def tokenizer(tiny_base: Path) -> Any:
    """Return a real tokenizer of bytes with a chat template."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base)


def _teach() -> None:
    for name, prompts in ABOUT.items():
        for number, prompt in enumerate(prompts):
            keep_example(f"{prompt}?", f"The answer on {name}, number {number}.")


def _rows(made: Dataset, name: str) -> list[dict[str, Any]]:
    lines = (made.folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_no_topic_stands_on_both_sides_and_old_knowledge_is_replayed(tokenizer: Any) -> None:
    _teach()

    made = curate("examples", tokenizer)

    prompts = {
        name: [row["messages"][0]["content"] for row in _rows(made, name)]
        for name in ("train", "valid", "test")
    }
    replay = {json.loads(line)["prompt"] for line in curated_rows.REPLAY.open(encoding="utf-8")}
    trained = [one for one in prompts["train"] if one not in replay]
    assert 0.2 <= 1 - len(trained) / len(prompts["train"]) <= 0.3
    for judged in ("valid", "test"):
        assert prompts[judged]
        assert not replay & set(prompts[judged])
        cosines = embedder().query(trained) @ embedder().query(prompts[judged]).T
        assert cosines.max() < made.manifest.settings.topic_limit


def test_the_same_rows_make_the_same_bytes(tokenizer: Any) -> None:
    _teach()
    first = curate("examples", tokenizer)
    kept = {file.name: file.read_bytes() for file in first.folder.iterdir()}

    assert curate("examples", tokenizer) == first
    for file in first.folder.iterdir():
        file.unlink()
    first.folder.rmdir()
    again = curate("examples", tokenizer)

    assert {file.name: file.read_bytes() for file in again.folder.iterdir()} == kept
    assert curate("examples", tokenizer, form="completion").folder != first.folder


def test_preferences_become_pairs_of_chosen_and_rejected(
    tokenizer: Any, override: Callable[..., None]
) -> None:
    override(LEARNING__MIN_PREFERENCES="9")
    for name, prompts in ABOUT.items():
        for prompt in prompts:
            prefer(f"{prompt}?", f"A good answer on {name}.", "Whatever.")

    made = curate("preferences", tokenizer)

    assert set(_rows(made, "valid")[0]) == {"prompt", "chosen", "rejected"}
    assert sum(len(_rows(made, name)) for name in ("train", "valid", "test")) == 24


def test_what_is_too_long_or_a_double_is_left_out_by_name(
    tokenizer: Any, override: Callable[..., None]
) -> None:
    _teach()
    long = keep_example("What is in the long list?", "beans " * 400)
    old = keep_example("How long does the shop stay open on Sundays?", "Until six o'clock sharp.")
    keep_example("How long does the shop stay open on sundays??", "Until six o'clock sharp!")

    made = curate("examples", tokenizer)

    reasons = {one.id: one.reason for one in made.left_out}
    assert "512 are allowed" in reasons[long.id]
    assert "nearly the same" in reasons[old.id]


def test_the_newer_answer_to_a_prompt_is_the_last_word() -> None:
    old = keep_example("When?", "In March.")
    new = keep_example("When?", "In October, not in March.")

    kept, left_out = without_doubles([old, new])

    assert kept == [new]
    assert "newer" in left_out[0].reason


def test_too_little_is_told_with_how_much_is_missing(tokenizer: Any) -> None:
    for number in range(3):
        keep_example(f"Question {number}", "An answer.")

    with pytest.raises(TooLittleData, match="20 are needed, 17 are missing"):
        curate("examples", tokenizer)


def test_many_examples_about_one_thing_cannot_be_judged(tokenizer: Any) -> None:
    for number in range(24):
        keep_example(f"How do I clean grinder {number}?", f"By {chr(97 + number) * 12}.")

    with pytest.raises(TooLittleData, match="topics"):
        curate("examples", tokenizer)


def test_a_set_that_breaks_an_expectation_is_refused_with_rows_and_reasons() -> None:
    rows = [
        curated_rows.PlacedRow(
            Example(id=f"{number:032}", origin="written", prompt=f"p{number}", completion=text),
            name,
            number,
            9,
        )
        for number, (name, text) in enumerate(
            [("train", "fine"), ("valid", "  "), ("test", "Ring 090-1234-5678.")]
        )
    ]

    with pytest.raises(DatasetInvalid) as refused:
        curated_rows.check_rows("examples", rows, 512)

    assert "completion" in str(refused.value)
    assert "identifiers" in str(refused.value)
    assert f"{1:032}"[:8] in str(refused.value)


def test_topics_join_through_rows_between_them() -> None:
    angles = np.radians([0, 40, 80, 180])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    labels, limit = clusters(np.vstack([vectors, -vectors[:1]]))

    assert labels[0] == labels[1] == labels[2] != labels[3] == labels[4]
    assert limit == 0.55


def test_whole_topics_go_to_one_split_and_every_split_gets_some() -> None:
    labels = [0] * 8 + [1] * 4 + [2] * 3 + list(range(3, 12))
    ids = [f"{at:032}" for at in range(len(labels))]

    found = assign_splits(labels, ids)

    for label in set(labels):
        assert len({name for name, one in zip(found, labels, strict=True) if one == label}) == 1
    assert {"train", "valid", "test"} == set(found)
    assert 0.5 <= found.count("train") / len(found) <= 0.85
    assert assign_splits(labels, ids) == found


def test_the_replay_set_is_disjoint_from_what_models_are_judged_by() -> None:
    lines = curated_rows.REPLAY.read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines]
    judged = [text for file in Path("datasets/evaluation").iterdir() for text in _prompts(file)]

    assert 60 <= len(set(prompts)) == len(prompts) <= 100
    assert not set(prompts) & set(judged)


def _prompts(file: Path) -> Iterator[str]:
    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (str(value[key]) for key in ("prompt", "question") if key in value)
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                yield from walk(inner)

    text = file.read_text(encoding="utf-8")
    if file.suffix == ".jsonl":
        yield from walk([json.loads(line) for line in text.splitlines()])
    elif file.suffix == ".yaml":
        yield from walk(yaml.safe_load(text))
