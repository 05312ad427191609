"""What people are told of a key that is wrong."""

from pathlib import Path

import pytest
from pydantic import BaseModel, Field, ValidationError

from thirdshift.errors import SettingsInvalid, explained
from thirdshift.yaml_files import read_yaml


class Recipe(BaseModel):
    name: str
    rank: int = Field(ge=1)


def test_a_fault_names_key_value_and_what_is_allowed() -> None:
    with pytest.raises(ValidationError) as fault:
        Recipe(name="lora", rank=0)

    text = "rank = 0 is not allowed: Input should be greater than or equal to 1."
    assert explained(fault.value) == text


def test_a_missing_key_is_called_missing_and_a_long_value_is_cut() -> None:
    with pytest.raises(ValidationError) as fault:
        Recipe.model_validate({"rank": "x" * 1000})

    first, second = explained(fault.value).split(".", 1)
    assert first == "name is missing"
    assert len(second) < 200


@pytest.mark.parametrize("text", ["a: [", "- a\n- b", "just words"])
def test_yaml_that_is_none_is_refused_by_its_name(text: str, tmp_path: Path) -> None:
    file = tmp_path / "lora.yaml"
    file.write_text(text)

    with pytest.raises(SettingsInvalid, match=r"lora\.yaml"):
        read_yaml(file, SettingsInvalid)


def test_an_empty_file_has_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "lora.yaml"
    file.write_text("# nothing yet\n")

    assert read_yaml(file, SettingsInvalid) == {}
