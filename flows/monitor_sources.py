"""Look at the watched sources: what is new, what of it the owner wants to hear, what broke."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_table_artifact

from tasks.newsroom import monitoring, stories
from tasks.newsroom.sources import watchlist
from tasks.runs.orchestrator import tell
from tasks.runs.outcomes import accountable
from thirdshift.newsroom import Story
from thirdshift.outcome import Outcome

check_sources = task(name="check the sources")(monitoring.check_all)
judge_entries = task(name="judge what is new")(monitoring.take_in)


@flow(flow_run_name="monitor sources")
@accountable
async def monitor_sources(sources: str | None = None) -> Outcome:
    """Check the owner's sources, or those of the file `sources`; an event per story taken."""
    listed = watchlist(Path(sources) if sources else None)
    if not listed.sources:
        reason = "No sources are listed: `thirdshift sources add URL`."
        return Outcome(status="nothing_to_do", reason=reason)
    checked = await asyncio.to_thread(check_sources, listed.sources)
    judged = await asyncio.to_thread(judge_entries, checked, listed)
    taken = await _tell_of(stories.untold())
    summary = _summary(checked, judged)
    get_run_logger().info(summary)
    await _list_decisions(judged)
    if not taken:
        return Outcome(status="nothing_to_do", reason=summary)
    produced = [f"{story.title} ({story.source}): {story.reason}" for story in taken]
    return Outcome.checked(summary, produced, every_story_taken_is_told=not stories.untold())


async def _tell_of(taken: Sequence[Story]) -> list[Story]:
    for story in taken:
        await tell("thirdshift.story.matched", f"thirdshift.story.{story.id}", story=story.id)
        await asyncio.to_thread(stories.mark_told, story.id)
    return list(taken)


def _summary(checked: Sequence[monitoring.Checked], judged: Sequence[Story]) -> str:
    results = Counter(check.result for check in checked)
    decisions = Counter(story.decision for story in judged)
    parts = [f"{len(checked)} sources: {_listed(results)}"]
    parts += [f"{len(judged)} new entries: {_listed(decisions)}"] if judged else []
    return ". ".join([*parts, *monitoring.announcements(checked)]).rstrip(".") + "."


def _listed(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


async def _list_decisions(judged: Sequence[Story]) -> None:
    if judged:
        shown = ("decision", "source", "title", "reason")
        table = [story.model_dump(include=set(shown)) for story in judged]
        await acreate_table_artifact(table, key="stories", description="What was taken, and why")
