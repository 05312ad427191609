from pathlib import Path

import pytest
import yaml

from tasks.learning.training.recipes import SHIPPED, Recipe, recipe
from thirdshift.errors import SettingsInvalid
from thirdshift.learning import Method
from thirdshift.settings import settings

both = pytest.mark.parametrize("method", ["lora", "dpo"])


@both
def test_each_key_of_a_shipped_recipe_stands_under_a_comment(method: Method) -> None:
    text = (SHIPPED / f"{method}.yaml").read_text(encoding="utf-8")
    paragraphs = text.strip().split("\n\n")
    keyed = [paragraph for paragraph in paragraphs if not paragraph.startswith("# ──")]
    assert all(paragraph.startswith("# ") for paragraph in keyed)
    preferences = {"beta", "nll_weight", "margin_ceiling"}
    wanted = set(Recipe.model_fields) - (preferences if method == "lora" else set())
    assert set(yaml.safe_load(text)) == wanted


@both
def test_a_shipped_recipe_is_valid(method: Method) -> None:
    assert recipe(method).method == method


def test_the_owners_keys_win_over_the_shipped_ones_and_changes_over_both() -> None:
    write("lora", "rank: 4\nseed: 7\n")
    found = recipe("lora", seed=9)
    assert (found.rank, found.seed) == (4, 9)
    assert found.scale == recipe("lora").scale


@pytest.mark.parametrize(
    "text, named",
    [
        ("rankk: 4", "rankk"),
        ("rank: many", "rank = 'many' is not allowed"),
        ("dropout: 1.5", "dropout"),
        ("- rank", "keys and values"),
        ("rank: [", "YAML"),
    ],
)
def test_a_bad_key_is_named(text: str, named: str) -> None:
    write("lora", text)
    with pytest.raises(SettingsInvalid, match=named):
        recipe("lora")


def test_dpo_that_would_judge_the_prompt_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="mask_prompt"):
        recipe("dpo", mask_prompt=False)


def test_an_epoch_sees_each_example_once_and_the_cap_holds() -> None:
    found = recipe("lora", epochs=3, batch_size=4, max_iterations=100)
    assert found.iterations(10) == 9
    assert found.iterations(1000) == 100


def write(method: Method, text: str) -> Path:
    file = settings().training_path / f"{method}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
