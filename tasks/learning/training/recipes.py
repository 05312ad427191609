"""Recipes of training: one commented YAML per method, and the owner's changes over it."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from thirdshift.errors import SettingsInvalid
from thirdshift.paths import DATASETS
from thirdshift.records import Record
from thirdshift.settings import settings

Method = Literal["lora", "dpo"]
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
        an_epoch = -(-examples // self.batch_size)
        return min(an_epoch * self.epochs, self.max_iterations)


def recipe(method: Method, **changes: Any) -> Recipe:
    """Return a method's recipe: the shipped keys, the owner's over them, `changes` over both.

    Raises SettingsInvalid naming the key, the value and what is allowed.
    """
    owners = settings().training_path / f"{method}.yaml"
    keys = _read(SHIPPED / f"{method}.yaml") | _read(owners) | changes
    try:
        return Recipe.model_validate(keys)
    except ValidationError as error:
        raise SettingsInvalid(_explain(error), f"Mend it in {owners}.") from None


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        keys = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise SettingsInvalid(f"{file} is not YAML: {error}.", "Mend or remove it.") from None
    if not isinstance(keys, dict):
        raise SettingsInvalid(f"{file} holds no keys.", "Write `key: value`, a line each.")
    return keys


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        what = f"{key} = {item['input']!r} is not allowed: " if key else ""
        lines.append(f"{what}{item['msg']}.")
    return " ".join(lines)
