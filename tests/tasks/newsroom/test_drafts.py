"""Drafts wait, are approved, edited or rejected once; what is approved is published and taught."""

from collections.abc import Callable
from pathlib import Path

import feedparser
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from deployments.cli.app import app
from tasks import memory
from tasks.feedback import examples
from tasks.newsroom import drafts, passages, publishing
from thirdshift.errors import NotFound, ThirdShiftError
from thirdshift.newsroom import Draft, Passage, Review
from thirdshift.records import Note

PASSAGE = Passage(id="p1", url="https://news.example/a", title="A <b>", text="Beans cost 9 yen.")


def draft(**changed: object) -> Draft:
    made = Draft(
        id="abc123",
        topic="t",
        kind="post",
        language="en",
        title="Beans: a story",
        text="Beans cost 9 yen. [1]",
        cited=[PASSAGE],
        writer="specialist",
    ).model_copy(update=changed)
    drafts.keep(made)
    return made


def test_a_draft_is_a_file_that_says_how_to_approve_it() -> None:
    text = drafts.file_of(draft()).read_text()

    assert "thirdshift drafts approve abc123" in text and "Beans cost 9 yen. [1]" in text
    assert drafts.text_of(drafts.get("abc")) == "Beans cost 9 yen. [1]"


def test_what_is_approved_is_markdown_with_front_matter_and_in_both_feeds() -> None:
    draft()

    decided = drafts.settle("abc123", Review(note="good"))

    path = publishing.file_of(decided)
    front = yaml.safe_load(path.read_text().split("---\n")[1])
    assert (front["title"], front["sources"]) == ("Beans: a story", ["https://news.example/a"])
    for name in ("feed.rss", "feed.atom"):
        feed = feedparser.parse((path.parent / name).read_bytes())
        assert not feed.bozo and [entry.title for entry in feed.entries] == ["Beans: a story"]
    assert not drafts.file_of(decided).exists()


def test_an_edit_in_the_file_is_what_an_approval_publishes_and_teaches() -> None:
    file = drafts.file_of(draft())
    file.write_text(file.read_text().replace("Beans cost 9 yen. [1]", "Nine yen, no more. [1]"))

    decided = drafts.settle("abc123", Review())

    assert decided.published == "Nine yen, no more. [1]"
    (example,) = examples.taught("examples")
    (preference,) = examples.taught("preferences")
    assert getattr(example, "origin", "") == "edit"
    assert getattr(preference, "rejected", "") == "Beans cost 9 yen. [1]"


def test_quotations_that_were_approved_as_they_are_teach_nothing() -> None:
    draft(writer="extracts")
    drafts.settle("abc123", Review())

    assert examples.taught("examples") == [] and drafts.style() == []


def test_what_is_rejected_is_not_published_and_stays_on_record() -> None:
    draft()
    decided = drafts.settle("abc123", Review(verdict="reject", note="dull"))

    assert (decided.status, decided.note) == ("rejected", "dull")
    assert not publishing.file_of(decided).exists()


def test_the_first_decision_holds() -> None:
    draft()
    first = drafts.settle("abc123", Review())

    assert drafts.settle("abc123", Review()).decided_at == first.decided_at
    with pytest.raises(ThirdShiftError, match="approved before"):
        drafts.settle("abc123", Review(verdict="reject"))


def test_what_is_approved_is_exported_where_it_is_wanted_or_the_place_is_named(
    tmp_path: Path,
) -> None:
    def export(*words: str) -> Result:
        return CliRunner().invoke(app, ["drafts", "export", "abc", *words])

    draft()
    waiting = export()
    decided = drafts.settle("abc123", Review())
    file = tmp_path / "post.md"

    assert isinstance(waiting.exception, ThirdShiftError)
    assert export().output == publishing.markdown(decided)
    assert export(str(file)).exit_code == 0
    assert file.read_text() == publishing.markdown(decided)
    nowhere = export(str(tmp_path / "absent" / "post.md"))
    assert "post.md cannot be written" in str(nowhere.exception)


def test_an_edit_must_change_something() -> None:
    with pytest.raises(ThirdShiftError, match="as it was"):
        drafts.check(draft(), Review(verdict="edit"))


def test_an_unknown_or_ambiguous_id_is_refused() -> None:
    draft()
    draft(id="abc999")

    for name in ("abc", "zzz", ""):
        with pytest.raises(NotFound, match="drafts list"):
            drafts.get(name)


def test_old_and_surplus_passages_go_but_not_those_that_drafts_cite(
    override: Callable[..., None],
) -> None:
    override(RESEARCH__KEEP_PASSAGES=10)
    articles = [
        passages.Article(url=f"https://x.example/{n}", title=f"T{n}", text=f"Page {n} says so.")
        for n in range(14)
    ]
    kept = passages.keep(articles)

    gone = passages.prune({kept[0].id})

    assert gone == 4
    assert kept[0].id in passages.find([one.id for one in kept])


def test_what_strangers_wrote_comes_after_the_owners_own_papers() -> None:
    passages.keep(
        [
            passages.Article(
                url="https://x.example/", title="", text="The roaster was serviced in March."
            )
        ]
    )
    memory.remember([Note(text="Our roaster was serviced by Tanaka."), Note(text="Tea is green.")])

    hits = memory.recall("When was the roaster serviced in March?", 3)

    assert [hit.provenance for hit in hits] == ["owner", "owner", "untrusted_web"]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
