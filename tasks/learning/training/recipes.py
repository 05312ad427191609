"""Hyper-parameters of training: one commented YAML per method, the owner's changes over it."""

from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from tasks.text.yaml_files import read_yaml
from thirdshift.errors import SettingsInvalid, explained
from thirdshift.learning import Method
from thirdshift.paths import DATASETS
from thirdshift.records import Record
from thirdshift.settings import settings

SHIPPED = DATASETS / "training"


class Recipe(Record):
    """The hyper-parameters of one training; datasets/training/*.yaml explains each key."""

    method: Method
    seed: int = Field(ge=0)
    layers: int = Field(ge=0)
    rank: int = Field(ge=1, le=512)
    scale: float = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    modules: list[str]
    mask_prompt: bool
    max_tokens: int = Field(ge=16)
    pack: bool
    pack_tokens: int = Field(ge=32)
    epochs: int = Field(ge=1)
    max_iterations: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    accumulate: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)
    schedule: Literal["constant", "cosine"]
    weight_decay: float = Field(ge=0)
    evaluate_every: int = Field(ge=1)
    validation_examples: int = Field(ge=0)
    patience: int = Field(ge=0)
    divergence: float = Field(gt=1)
    save_every: int = Field(ge=1)
    gradient_checkpointing: Literal["auto", "always", "never"]
    beta: float = Field(0.1, gt=0)
    nll_weight: float = Field(0.0, ge=0)
    margin_ceiling: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _judged_by_the_answer(self) -> "Recipe":
        if self.method == "dpo" and not self.mask_prompt:
            raise ValueError("mask_prompt: DPO compares answers, so true is allowed")
        return self

    def iterations(self, examples: int) -> int:
        """Return how many iterations the recipe takes over so many examples or pairs."""
        in_epoch = -(-examples // self.batch_size)
        return min(in_epoch * self.epochs, self.max_iterations)


def recipe(method: Method, **changes: Any) -> Recipe:
    """Return a method's recipe: the shipped keys, the owner's over them, `changes` over both.

    Raises SettingsInvalid naming the key, the value and what is allowed.
    """
    owners = settings().training_path / f"{method}.yaml"
    shipped = read_yaml(SHIPPED / f"{method}.yaml", SettingsInvalid)
    own = read_yaml(owners, SettingsInvalid) if owners.exists() else {}
    try:
        return Recipe.model_validate(shipped | own | changes)
    except ValidationError as error:
        raise SettingsInvalid(explained(error), f"Mend it in {owners}.") from None
