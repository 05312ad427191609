"""The hourly look at the sources, through a real Prefect server: events, artifact, outcome."""

import asyncio
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.events.filters import EventFilter, EventNameFilter

from flows.monitor_sources import monitor_sources
from tasks.newsroom import sources, stories
from tests.hostile import Web
from thirdshift.newsroom import Source
from thirdshift.paths import DATASETS

pytestmark = pytest.mark.slow

SAMPLE = DATASETS / "sources.yaml"


async def run(**parameters: Any) -> Any:
    return await monitor_sources(**parameters, return_state=True)  # type: ignore[call-overload]


async def told() -> set[str]:
    """Return the stories that Prefect has heard of."""
    named = EventFilter(event=EventNameFilter(name=["thirdshift.story.matched"]))
    async with get_client() as client:
        page = await client.read_events(filter=named, limit=50)
    return {str(event.payload["story"]) for event in page.events}


async def test_without_sources_it_says_how_to_list_one(prefect: str) -> None:
    state = await run()

    assert state.name == "NothingToDo" and "sources add" in state.message


async def test_the_sample_feeds_give_stories_each_told_once(prefect: str) -> None:
    first = await run(sources=str(SAMPLE))
    second = await run(sources=str(SAMPLE))

    assert (first.name, second.name) == ("Done", "NothingToDo")
    taken = {story.id: story for story in stories.recent_matches()}
    assert {story.title for story in taken.values()} >= {"梅雨の前にすること"}
    while not taken.keys() <= await told():  # the server writes events down every few seconds
        await asyncio.sleep(0.2)
    assert stories.untold() == []


async def test_a_source_that_breaks_stops_no_other_and_is_named(prefect: str, site: Web) -> None:
    item = "<item><title>One</title><link>https://news.example/1</link></item>"
    site.serve("/good", f"<rss version='2.0'><channel><title>T</title>{item}</channel></rss>")
    named = {"Good": "/good", "Looping": "/loop", "Absent": "/absent"}
    sources.add(Source(name=name, url=site.base + path, all=True) for name, path in named.items())

    state = await run()

    assert state.name == "Done"
    assert "Looping is broken" in state.message and "Absent is broken" in state.message
    assert "broken" not in (await run()).message.replace("2 waiting", "")
