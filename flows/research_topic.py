"""Find out about a story: its page, related ones, and what of them a draft may cite."""

import asyncio
from collections import Counter

from prefect import flow, task
from prefect.artifacts import acreate_table_artifact

from tasks.newsroom import drafts, passages, topics
from tasks.runs.orchestrator import call_run, tell
from tasks.runs.outcomes import accountable
from thirdshift.outcome import Outcome

research = task(name="read the pages")(topics.research)


@flow(flow_run_name="research {story}")
@accountable
async def research_topic(story: str) -> Outcome:
    """Research the story with this id; an event says that it can be written about."""
    if topics.known(story):
        return Outcome(status="nothing_to_do", reason="This story was researched before.")
    topic = await asyncio.to_thread(research, story)
    await call_run(f"research {topic.title}")
    gone = await asyncio.to_thread(passages.prune, drafts.cited_passages() | set(topic.passages))
    visits = Counter(visit.result for visit in topic.visits)
    counts = ", ".join(f"{count} {name}" for name, count in visits.items()) or "no pages"
    table = [visit.model_dump() for visit in topic.visits]
    await acreate_table_artifact(table, key="pages", description=f"Read for {topic.title}")
    held = set(passages.find(topic.passages)) == set(topic.passages)
    if topic.passages and held:
        await tell("thirdshift.topic.researched", f"thirdshift.topic.{topic.id}", topic=topic.id)
    reason = f"{topic.title}: pages {counts}; {len(topic.passages)} passages, {gone} old ones gone."
    return Outcome.checked(
        reason, [], something_was_found=bool(topic.passages), every_passage_is_in_memory=held
    )
