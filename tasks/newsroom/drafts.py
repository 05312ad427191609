"""Drafts and what the owner decides on them: one small API for command, form and page.

A draft is a row and a file. The file may be edited in place: what it then says is what an
approval publishes. A decision may come twice; the first one holds.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tasks.feedback import examples
from tasks.machine.disk import write_whole
from tasks.memory.store import quoted, store
from tasks.newsroom import publishing
from thirdshift.errors import NotFound, ThirdShiftError
from thirdshift.newsroom import Draft, DraftStatus, Review
from thirdshift.records import now
from thirdshift.settings import settings

_HEAD = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_SLUG = re.compile(r"[^\w]+")


def keep(draft: Draft) -> Path:
    """Keep a draft and write its file, unless it was decided on; return the file's path."""
    path = file_of(draft)
    write_whole(path, _document(draft))
    _row(draft)
    return path


def get(draft_id: str) -> Draft:
    """Return the draft with this id, or with the only id that starts so; raises NotFound."""
    matches = [draft for draft in listed() if draft_id and draft.id.startswith(draft_id)]
    if len(matches) != 1:
        fault = (
            "Several drafts have ids that start" if matches else "No draft has an id that starts"
        )
        raise NotFound(f"{fault} with {draft_id!r}.", "`thirdshift drafts list` shows the ids.")
    return matches[0]


def listed(status: DraftStatus | None = None) -> list[Draft]:
    """Return the drafts, newest first; of one status, or all."""
    where = f"status IN {quoted(status)}" if status else None
    rows = store().rows("drafts", where, ["draft"])["draft"].to_pylist()
    drafts = [Draft.model_validate_json(row) for row in rows]
    return sorted(drafts, key=lambda draft: draft.created_at, reverse=True)


def cited_passages() -> set[str]:
    """Return the ids of all passages that drafts cite; memory must keep these."""
    return {passage.id for draft in listed() for passage in draft.cited}


def file_of(draft: Draft) -> Path:
    """Return where the draft's file lies."""
    slug = _SLUG.sub("-", draft.title.lower()).strip("-")[:60] or "draft"
    return settings().drafts_path / f"{slug}-{draft.id}.md"


def text_of(draft: Draft) -> str:
    """Return what the draft's file says now, without its head and its list of sources."""
    path = file_of(draft)
    if not path.exists():
        return draft.text
    text = _HEAD.sub("", path.read_text(encoding="utf-8"))
    text = text.strip().removeprefix(f"# {draft.title}").split("\n## Sources\n")[0]
    return text.split("\n## 出典\n")[0].strip()


def settle(draft_id: str, review: Review) -> Draft:
    """Carry out a decision: publish, teach what was edited, or put away; return the draft.

    Raises ThirdShiftError where the draft was decided on otherwise before.
    """
    draft = get(draft_id)
    status: DraftStatus = "rejected" if review.verdict == "reject" else "approved"
    if draft.status != "pending":
        if draft.status != status:
            raise ThirdShiftError(f"“{draft.title}” was {draft.status} before.")
        return draft
    text = review.text.strip() or text_of(draft)
    published = text if status == "approved" else ""
    changed = {"status": status, "note": review.note, "decided_at": now(), "published": published}
    decided = draft.model_copy(update=changed)
    if status == "approved":
        _teach(draft, text)
        publishing.publish(decided)
        publishing.write_feeds([*listed("approved"), decided])
    _row(decided)  # last: who is interrupted before does it all again, and whoever looks sees it
    file_of(draft).unlink(missing_ok=True)
    return decided


def check(draft: Draft, review: Review) -> None:
    """Raise ThirdShiftError where a decision cannot be: an edit must change something."""
    if draft.status != "pending":
        raise ThirdShiftError(f"“{draft.title}” was {draft.status} already.")
    text = review.text.strip() or text_of(draft)
    if review.verdict == "edit" and text == draft.text.strip():
        raise ThirdShiftError(
            "The text is as it was.", f"`thirdshift drafts approve {draft.id}` takes it as it is."
        )


def style() -> list[str]:
    """Return the texts that the owner approved, the newest first: how he wants to be read."""
    return [draft.published for draft in listed("approved") if draft.writer != "extracts"]


def _teach(draft: Draft, text: str) -> None:
    """Keep what the owner made of a model's text; quotations and nothing new teach nothing."""
    prompt = f"Write a {draft.kind} about: {draft.title}"
    bound = {"chunk_ids": [passage.id for passage in draft.cited]}
    if text != draft.text.strip():
        examples.record_edit(prompt, draft.text, text, **bound)
    elif draft.writer == "specialist" and examples.collects("examples"):
        examples.keep_example(prompt, text, origin="answer", **bound)


def _row(draft: Draft) -> None:
    row = draft.model_dump(include={"id", "topic", "status", "title", "created_at"})
    store().upsert("drafts", [row | {"draft": draft.model_dump_json()}])


def _document(draft: Draft) -> str:
    head: dict[str, Any] = {
        "draft": draft.id,
        "status": draft.status,
        "kind": draft.kind,
        "language": draft.language,
        "written_by": draft.writer,
        "approve": f"thirdshift drafts approve {draft.id}",
    }
    if draft.left_out:
        head["left_out"] = [f"{claim.text} ({claim.why})" for claim in draft.left_out]
    return _with_head(head, f"# {draft.title}\n\n{draft.text}\n\n{publishing.sources(draft)}")


def _with_head(head: dict[str, Any], body: str) -> str:
    return f"---\n{yaml.safe_dump(head, allow_unicode=True, sort_keys=False)}---\n\n{body}\n"


def unknown_citations(draft: Draft, passages: Sequence[str]) -> list[str]:
    """Return what a draft cites that is not among the passages, or not in its list of sources."""
    marks = {int(mark) for mark in re.findall(r"\[(\d+)\]", draft.text)}
    beyond = [f"[{mark}]" for mark in sorted(marks) if not 0 < mark <= len(draft.cited)]
    return beyond + [passage.id for passage in draft.cited if passage.id not in passages]
