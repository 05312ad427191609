"""What people are told of a key that is wrong."""

import pytest
from pydantic import BaseModel, Field, ValidationError

from thirdshift.errors import explained


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
