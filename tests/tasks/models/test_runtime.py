"""One suite for both runtimes, each with a real model."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from tasks.models.embedded.files import built_in
from tasks.models.embedded.runtime import EmbeddedRuntime
from tasks.models.protocol import ModelRuntime
from tasks.models.runtime import runtime, structured
from tests.tasks import tiny
from thirdshift.errors import (
    AnswerInvalid,
    ContextTooLong,
    ModelMissing,
    OutOfMemory,
    RuntimeUnavailable,
    ToolsUnsupported,
)

LONG = "Count from one to one thousand in words, one number a line."


class Place(BaseModel):
    city: str = Field(max_length=40)
    country: str = Field(max_length=40)


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Sun in {city}."


@tool
def play(song: str) -> str:
    """Play a song."""
    return f"Playing {song}."


@pytest.fixture(
    params=["engine", pytest.param("ollama", marks=[pytest.mark.ollama, pytest.mark.slow])]
)
def models(request: pytest.FixtureRequest) -> Iterator[ModelRuntime]:
    """Yield each runtime in turn, and unload what the test loaded beside the sentinel."""
    chosen: ModelRuntime = request.getfixturevalue(request.param)
    chosen.chat()
    yield chosen
    for model in chosen.loaded():
        if model.tier == "specialist":
            chosen.unload(model.name)


@pytest.fixture
def tuned(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a model of another name: Ollama loads equal files once."""

    def write(name: str) -> Path:
        file = tmp_path / f"{name}.gguf"
        file.write_bytes(built_in().read_bytes().replace(b"Smollm2 135M", name.encode(), 1))
        return file

    return write


def names(models: ModelRuntime) -> set[str]:
    return {model.name.removesuffix(":latest") for model in models.loaded()}


def sentinel(models: ModelRuntime) -> str:
    return "small" if models.name == "ollama" else built_in().stem


def test_a_question_gets_an_answer(models: ModelRuntime) -> None:
    answer = models.chat(max_tokens=30).invoke("What color is the sky?")

    assert "blue" in str(answer.content)


def test_both_tiers_answer(models: ModelRuntime) -> None:
    answer = models.chat("specialist", max_tokens=5).invoke("Hello")

    assert answer.content


def test_an_answer_streams_in_pieces_that_make_the_whole(models: ModelRuntime) -> None:
    model = models.chat(max_tokens=30)

    pieces = [str(piece.content) for piece in model.stream("What color is the sky?")]

    assert len([piece for piece in pieces if piece]) > 3
    assert "blue" in "".join(pieces)


async def test_an_answer_streams_without_blocking_the_loop(models: ModelRuntime) -> None:
    model = models.chat(max_tokens=30)

    pieces = [str(piece.content) async for piece in model.astream("What color is the sky?")]

    assert "blue" in "".join(pieces)


async def test_an_answer_can_be_awaited(models: ModelRuntime) -> None:
    answer = await models.chat(max_tokens=30).ainvoke("What color is the sky?")

    assert "blue" in str(answer.content)


def test_the_same_question_gets_the_same_answer(models: ModelRuntime) -> None:
    asked = "Name three colours."

    first, second = (models.chat(max_tokens=20).invoke(asked).content for _ in range(2))

    assert first == second


def test_tokens_are_counted(models: ModelRuntime) -> None:
    answer = models.chat(max_tokens=7).invoke(LONG)

    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 7


def test_a_structured_answer_fits_its_schema(models: ModelRuntime) -> None:
    place = structured("sentinel", Place, "Where is the Eiffel Tower?")

    assert place.city


def test_a_structured_answer_cut_short_says_so(models: ModelRuntime) -> None:
    with pytest.raises(AnswerInvalid, match="Allow more tokens"):
        structured("sentinel", Place, "Where is the Eiffel Tower?", max_tokens=3)


def test_a_forced_tool_call_works_with_any_template(models: ModelRuntime) -> None:
    model = models.chat(max_tokens=100).bind_tools([weather, play], tool_choice="required")

    answer = model.invoke([SystemMessage("Be brief."), HumanMessage("The weather in Oslo?")])

    assert [call["name"] for call in answer.tool_calls] <= ["weather", "play"]
    assert len(answer.tool_calls) == 1


async def test_a_forced_call_of_one_tool_calls_that_tool(models: ModelRuntime) -> None:
    model = models.chat(max_tokens=100).bind_tools([weather, play], tool_choice="play")

    answer = await model.ainvoke("The weather in Oslo?")

    assert answer.tool_calls[0]["name"] == "play"
    assert set(answer.tool_calls[0]["args"]) == {"song"}


def test_free_tool_calls_are_refused_where_the_template_has_no_tools(models: ModelRuntime) -> None:
    with pytest.raises(ToolsUnsupported, match="tool_choice"):
        models.chat().bind_tools([weather])


def test_a_prompt_beyond_the_context_is_refused(
    models: ModelRuntime, override: Callable[..., None]
) -> None:
    override(MODELS__CONTEXT=512)

    with pytest.raises(ContextTooLong, match=r"models\.context"):
        models.chat(max_tokens=5).invoke("word " * 6000)


async def test_a_prompt_beyond_the_context_is_refused_in_a_stream(
    models: ModelRuntime, override: Callable[..., None]
) -> None:
    override(MODELS__CONTEXT=512)

    with pytest.raises(ContextTooLong, match=r"models\.context"):
        async for _ in models.chat(max_tokens=5).astream("word " * 6000):
            pass


def test_closing_a_stream_frees_the_model(models: ModelRuntime) -> None:
    stream = models.chat(max_tokens=4000).stream(LONG)
    next(stream)

    stream.close()  # type: ignore[attr-defined]

    assert_is_free(models)


async def test_closing_an_async_stream_frees_the_model(models: ModelRuntime) -> None:
    stream = models.chat(max_tokens=4000).astream(LONG)
    await anext(stream)

    await stream.aclose()  # type: ignore[attr-defined]

    await asyncio.to_thread(assert_is_free, models)


def assert_is_free(models: ModelRuntime) -> None:
    """Wait for the model to be idle, for less long than the closed answer would have taken."""
    if isinstance(models, EmbeddedRuntime):
        with models._served[built_in().stem].address.client() as client:
            for _ in range(50):
                if not any(slot["is_processing"] for slot in client.get("/slots").json()):
                    return
                time.sleep(0.1)
        pytest.fail("The engine goes on with an answer that nobody hears.")
    told = models.chat(max_tokens=1).invoke("Hello").response_metadata
    assert told["total_duration"] < 60e9  # ns; it would queue behind the closed answer


def test_a_missing_model_is_named_with_its_remedy(models: ModelRuntime) -> None:
    remedy = "ollama pull nobody" if models.name == "ollama" else "Publish"

    with pytest.raises(ModelMissing, match=remedy):
        models.ensure("nobody:v9")


def test_a_published_model_answers_under_its_name(
    models: ModelRuntime, tuned: Callable[[str], Path]
) -> None:
    models.publish("ours:v1", tuned("Watchman one"))

    answer = models.chat(model="ours:v1", max_tokens=30).invoke("What color is the sky?")

    assert "blue" in str(answer.content)
    assert "ours:v1" in names(models)


def test_an_unloaded_model_leaves_memory(
    models: ModelRuntime, tuned: Callable[[str], Path]
) -> None:
    models.publish("ours:v1", tuned("Watchman one"))
    models.ensure("ours:v1")

    models.unload("ours:v1")
    models.unload("ours:v1")

    assert "ours:v1" not in names(models)


def test_specialists_make_room_and_the_sentinel_stays(
    models: ModelRuntime, tuned: Callable[[str], Path], override: Callable[..., None]
) -> None:
    models.publish("ours:v1", tuned("Watchman one"))
    models.publish("ours:v2", tuned("Watchman two"))
    room_for_two = 2.6 * max(model.bytes for model in models.loaded())
    override(MODELS__MEMORY_SHARE=room_for_two / psutil.virtual_memory().total)

    models.ensure("ours:v1")
    models.ensure("ours:v2")

    assert names(models) == {sentinel(models), "ours:v2"}


def test_a_model_beyond_the_budget_is_refused_with_the_numbers(
    models: ModelRuntime, tuned: Callable[[str], Path], override: Callable[..., None]
) -> None:
    models.publish("ours:v1", tuned("Watchman one"))
    override(MODELS__MEMORY_SHARE=1e-6)

    with pytest.raises(OutOfMemory, match=r"ours:v1 needs 0\.\d\d GB.*models\.memory_share"):
        models.ensure("ours:v1")


def test_a_model_tells_its_size(models: ModelRuntime) -> None:
    assert 0.13 < models.billions("sentinel") < 0.14


def test_loaded_models_tell_their_bytes(models: ModelRuntime) -> None:
    (loaded,) = models.loaded()

    assert loaded.tier == "sentinel"
    assert loaded.bytes > built_in().stat().st_size


def test_auto_takes_the_embedded_runtime_where_no_ollama_answers(
    override: Callable[..., None],
) -> None:
    override(MODELS__RUNTIME="auto", MODELS__OLLAMA_HOST="http://127.0.0.1:9")

    assert runtime().name == "embedded"


def test_ollama_that_is_down_is_unavailable_with_its_remedy(override: Callable[..., None]) -> None:
    override(MODELS__RUNTIME="ollama", MODELS__OLLAMA_HOST="http://127.0.0.1:9")

    with pytest.raises(RuntimeUnavailable, match="ollama serve"):
        runtime().chat()


def test_embeddings_are_unit_vectors(models: ModelRuntime) -> None:
    vectors = models.embed(["night", "day"])

    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_server_that_is_dropped_at_once_ends(home: Path, tmp_path: Path) -> None:
    file = tiny.write(tmp_path / "llama.gguf", "llama")
    code = "import sys; from pathlib import Path; from tasks.models.embedded.server import serve\n"
    code += "for _ in range(20): serve('tiny', Path(sys.argv[1]))"
    command = [sys.executable, "-P", "-c", code, str(file)]
    ended = subprocess.run(command, timeout=200, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr  # it waited for ever
