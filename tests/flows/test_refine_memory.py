"""The nightly refinement as a flow: told with ranks, done once, nothing where nothing was said."""

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State

from flows.refine_memory import refine_memory
from tasks import memory
from tasks.feedback.examples import give_feedback
from tasks.feedback.turns import keep_turn
from thirdshift.outcome import Outcome

pytestmark = pytest.mark.slow

QUESTION = "When is the next service of the roaster?"


async def _run() -> State[Outcome]:
    state = await refine_memory(return_state=True)
    assert isinstance(state, State)
    return state


async def test_verdicts_tell_once_and_the_table_shows_what_they_did(prefect: str) -> None:
    memory.remember(["The roaster was serviced in March.", "The shop opens at eight."])
    assert (await _run()).name == "NothingToDo"
    cited = [hit.chunk_id for hit in memory.recall(QUESTION)]
    turn = keep_turn(QUESTION, "In March.", cited, tier="quote")
    give_feedback("correct", turn, "On 21 October.")

    first, second = await _run(), await _run()

    assert (first.name, second.name) == ("Done", "NothingToDo")
    assert "1 corrections changed" in str(first.message)
    assert "21 October" in memory.recall(QUESTION, 1)[0].text
    async with get_client() as client:
        artifacts = await client.read_artifacts()
    tables = [str(one.data) for one in artifacts if one.key == "refined-memory"]
    assert any("rank after" in table and QUESTION in table for table in tables)
