"""Write a draft about a researched topic, wait for its owner, publish what he approves."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.runtime import flow_run

from agents import writer
from tasks.models.runtime import runtime
from tasks.newsroom import (
    drafts,
    passages,
    publishing,
    topics,
)
from tasks.newsroom.reviewing import reviewed
from tasks.runs.notices import notify
from tasks.runs.orchestrator import call_run
from tasks.runs.outcomes import accountable
from thirdshift.errors import NotFound, SecretMissing
from thirdshift.newsroom import Draft, DraftKind
from thirdshift.outcome import Outcome
from thirdshift.records import content_hash
from thirdshift.settings import settings

if TYPE_CHECKING:
    from thirdshift.newsroom import Review

tell_owner = task(name="tell the owner")(notify)


@task(name="write the draft")
def write(topic_id: str, kind: DraftKind, run: str) -> Draft:
    """Write and keep the draft."""
    topic = topics.find(topic_id)
    cited = list(passages.find(topic.passages).values())
    cited.sort(key=lambda passage: topic.passages.index(passage.id))
    draft = writer.write(topic, cited, kind, runtime(), drafts.style())
    draft = draft.model_copy(update={"run": run})
    drafts.keep(draft)
    return draft


@flow(flow_run_name="write about {topic}")
@accountable
async def write_draft(topic: str, kind: DraftKind | None = None) -> Outcome:
    """Write a draft and suspend until the owner approved, edited or rejected it.

    It ends as one of these:

        waiting         the draft is written; the run is suspended until the owner decides
        done            approved, or edited: text, feed, citations and decision were looked at
        skipped         rejected, with the owner's note
        nothing_to_do   this topic has a draft of this kind already, by another run
    """
    kind = kind or settings().drafts.kind
    draft = _written(topic, kind)
    if draft is None:
        draft = await asyncio.to_thread(write, topic, kind, str(flow_run.id or ""))
        await call_run(f"write about {draft.title}")
        title = f"Draft: {draft.title}"
        with suppress(SecretMissing):  # Prefect shows it on the task; the draft waits all the same
            await asyncio.to_thread(tell_owner, title, f"thirdshift drafts show {draft.id}")
    elif draft.run != str(flow_run.id or ""):
        return Outcome(status="nothing_to_do", reason=f"Draft {draft.id} is {draft.status}.")
    review = await reviewed(draft)  # `waiting` in the ledger until there is one
    return await asyncio.to_thread(_settled, draft, review)


def _written(topic: str, kind: DraftKind) -> Draft | None:
    try:
        return drafts.get(content_hash("draft", topic, kind)[:12])
    except NotFound:
        return None


def _settled(draft: Draft, review: "Review") -> Outcome:
    decided = drafts.settle(draft.id, review)
    if decided.status == "rejected":
        return Outcome(status="skipped", reason=f"“{draft.title}” was rejected. {review.note}")
    path = publishing.file_of(decided)
    cited = [passage.id for passage in decided.cited]
    return Outcome.checked(
        f"“{draft.title}” is published.",
        [str(path)],
        the_text_is_on_disk=path.is_file(),
        the_feed_names_it=decided.id in (settings().published_path / "feed.atom").read_text(),
        every_citation_names_a_passage=set(passages.find(cited)) == set(cited),
        the_decision_is_kept=drafts.get(draft.id).status == "approved",
    )
