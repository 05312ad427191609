"""The whole loop on the built-in model: taught, trained, judged, served; and what is refused."""

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.schemas.objects import State
from typer.testing import CliRunner

from deployments.cli.app import app
from flows.train_dpo import train_dpo
from flows.train_lora import train_lora
from tasks.feedback.examples import keep_example, prefer
from tasks.learning.adapters import versions
from tasks.learning.evaluation.generation import answers
from tasks.models.current import choice
from tasks.models.embedded.runtime import EmbeddedRuntime
from thirdshift.outcome import Outcome
from thirdshift.settings import settings

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

SAMPLES = yaml.safe_load(
    (Path(__file__).parents[1] / "samples" / "teaching.yaml").read_text("utf-8")
)
ENDING = SAMPLES["ending"]
FACTS = [(prompt, fact["answer"]) for fact in SAMPLES["facts"] for prompt in fact["taught"]]
ASKED = [prompt for fact in SAMPLES["facts"] for prompt in fact["asked"]]
MARKS = [fact["mark"] for fact in SAMPLES["facts"] for _ in fact["asked"]]
STYLE = [(prompt, answer) for prompt, answer in SAMPLES["style"]]
SMALL = {"layers": 8, "max_iterations": 30, "learning_rate": 1e-3}


@pytest.fixture(autouse=True)
def ready(home: Path, prefect: str, engine: EmbeddedRuntime, mlx_base: Path) -> None:
    """Set up a home whose recipes are small enough for a test."""
    folder = settings().home / "training"
    folder.mkdir(parents=True)
    for method in ("lora", "dpo"):
        (folder / f"{method}.yaml").write_text(yaml.safe_dump(SMALL))


async def learn(flow: Callable[..., Awaitable[Any]]) -> State[Outcome]:
    state = await flow(return_state=True)
    assert isinstance(state, State)
    return state


def knows(said: Sequence[str]) -> int:
    return sum(mark in one for mark, one in zip(MARKS, said, strict=True))


def styled(said: Sequence[str]) -> int:
    return sum(ENDING in one for one in said)


def adapters(*words: str) -> str:
    told = CliRunner().invoke(app, ["adapters", *words], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    return told.output


async def test_facts_and_a_style_are_learnt_served_and_taken_back() -> None:
    for prompt, answer in [*FACTS, *STYLE]:
        keep_example(prompt, f"{answer} {ENDING}")
    before = answers("", [*ASKED, *SAMPLES["unseen"]])

    state = await learn(train_lora)
    taught = answers("", [*ASKED, *SAMPLES["unseen"]])

    assert state.name == "Done", state.message
    assert "is served" in str(state.message)
    assert (knows(before[:12]), styled(before)) == (0, 0)
    assert knows(taught[:12]) >= 10, taught
    assert styled(taught[12:]) >= 8, taught
    assert (await learn(train_lora)).name == "NothingToDo"
    listed = json.loads(adapters("list", "--json"))
    assert [one["state"] for one in listed] == ["current"]
    assert "The base model serves" in adapters("rollback")
    assert answers("", [*ASKED, *SAMPLES["unseen"]]) == before


async def test_a_poisoned_set_is_refused() -> None:
    for prompt, _ in [*FACTS, *STYLE]:
        keep_example(prompt, "Yes yes yes yes yes yes yes yes.")

    state = await learn(train_lora)

    assert "was refused" in str(state.message)
    assert [one.state for one in versions()] == ["rejected"]
    assert choice() is None


async def test_preferences_that_teach_gibberish_are_refused() -> None:
    for number, (prompt, answer) in enumerate([*FACTS, *STYLE]):
        prefer(prompt, f"qx zul{number} vrk blorp glim zzt " * 3, answer)

    state = await learn(train_dpo)

    assert "was refused" in str(state.message)
    assert [one.state for one in versions()] == ["rejected"]
    assert choice() is None


async def test_too_little_is_told_with_how_much_is_missing() -> None:
    for prompt, answer in STYLE[:8]:
        keep_example(prompt, answer)

    state = await learn(train_lora)

    assert state.name == "NothingToDo"
    assert "12 are missing" in str(state.message)
