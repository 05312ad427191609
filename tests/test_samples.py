"""The samples are whole, and the questions about them can be answered from them."""

import csv
import email
import email.policy
import mailbox
import re
from collections import Counter
from datetime import date
from email.message import EmailMessage
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import docx
import pypdfium2
import pytest
import yaml

from thirdshift.paths import DATASETS

SAMPLES = DATASETS / "samples"
QUESTIONS = yaml.safe_load((DATASETS / "evaluation" / "questions.yaml").read_text("utf-8"))
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def asked(item: dict[str, Any]) -> str:
    return str(item["question"])


@cache
def text_of(path: Path) -> str:
    """Return a sample's text by the plainest means there are, none of them the product's."""
    if path.suffix == ".pdf":
        pages = pypdfium2.PdfDocument(path)
        return "\n".join(page.get_textpage().get_text_bounded() for page in pages)
    if path.suffix == ".docx":
        return "\n".join(paragraph.text for paragraph in docx.Document(str(path)).paragraphs)
    if path.suffix == ".eml":
        return body(email.message_from_bytes(path.read_bytes(), policy=email.policy.default))
    if path.suffix == ".mbox":
        return "\n".join(map(body, mails(path)))
    return path.read_text("shift_jis" if path.name == "manual-grinder-hibari.txt" else "utf-8")


def mails(path: Path) -> list[EmailMessage]:
    return [
        email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
        for mail in mailbox.mbox(path, create=False)
    ]


def body(mail: EmailMessage) -> str:
    plain = mail.get_body(("plain",))
    assert plain
    return str(plain.get_content())


@pytest.mark.parametrize("item", QUESTIONS["answerable"], ids=asked)
def test_the_named_source_holds_the_answer(item: dict[str, Any]) -> None:
    assert re.search(item["answer"], text_of(SAMPLES / item["source"]), re.IGNORECASE)


def test_questions_are_many_bilingual_and_asked_once() -> None:
    answerable, unanswerable = QUESTIONS["answerable"], QUESTIONS["unanswerable"]
    everything = [item["question"] for item in answerable + unanswerable]
    kinds = Counter((item["language"], item["kind"]) for item in unanswerable)

    assert len(answerable) >= 32
    assert len(unanswerable) >= 14
    assert len(set(everything)) == len(everything)
    assert max(kinds.values()) == min(kinds.values())
    assert Counter(item["language"] for item in answerable)["ja"] >= len(answerable) / 3


@pytest.mark.parametrize("item", QUESTIONS["answerable"] + QUESTIONS["unanswerable"], ids=asked)
def test_a_question_is_in_the_language_it_names(item: dict[str, Any]) -> None:
    assert bool(JAPANESE.search(item["question"])) == (item["language"] == "ja")


def test_every_document_but_the_data_is_asked_about() -> None:
    sources = {item["source"] for item in QUESTIONS["answerable"]}
    assert sources == {path.name for path in SAMPLES.iterdir()} - {
        "mauna-loa-co2.csv",
        "shop-sales.csv",
    }


def test_the_readme_describes_every_sample() -> None:
    readme = (DATASETS / "README.md").read_text("utf-8")
    assert not [path.name for path in SAMPLES.iterdir() if f"`{path.name}`" not in readme]


@pytest.mark.parametrize("name", ["coffee-news.rss", "roaster-blog.atom"])
def test_feeds_have_four_dated_items_with_links(name: str) -> None:
    root = ElementTree.parse(SAMPLES / name).getroot()
    items = root.findall(".//{*}item") + root.findall(".//{*}entry")

    assert len(items) == 4
    for item in items:
        assert item.find("{*}link") is not None
        assert item.findtext("{*}pubDate") or item.findtext("{*}updated")


def test_mails_have_a_sender_a_subject_a_date_and_a_text() -> None:
    single = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in SAMPLES.glob("*.eml")
    ]
    for mail in [*single, *mails(SAMPLES / "customer-mail.mbox")]:
        assert mail["From"] and mail["Subject"] and mail["Date"].datetime
        assert not mail.defects
        assert len(body(mail)) > 200


def test_the_old_encodings_are_really_old() -> None:
    assert b'charset="iso-2022-jp"' in (SAMPLES / "mail-label-reprint.eml").read_bytes().lower()
    with pytest.raises(UnicodeDecodeError):
        (SAMPLES / "manual-grinder-hibari.txt").read_text("utf-8")


def test_the_time_series_is_weekly_and_honest_about_gaps() -> None:
    with (SAMPLES / "mauna-loa-co2.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    days = [date.fromisoformat(row["date"]) for row in rows]

    assert {(after - before).days for before, after in pairwise(days)} == {7}
    assert len(rows) == 2284
    assert sum(not row["co2"] for row in rows) == 59
    assert all(300 < float(row["co2"]) < 400 for row in rows if row["co2"])
