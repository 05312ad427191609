"""The general regression set: what a model could do before it was trained, and must still do."""

import re
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from tasks.text.yaml_files import read_yaml
from thirdshift.errors import EvaluationFailed
from thirdshift.paths import DATASETS
from thirdshift.records import Record

FILE = DATASETS / "evaluation" / "regression.yaml"

Skill = Literal["facts", "arithmetic", "instructions", "formatting", "nonsense", "language"]
Language = Literal["en", "ja"]


class Item(Record):
    """A prompt with continuations, of which one is right; `begins` comes before each."""

    skill: Skill
    language: Language
    prompt: str
    begins: str = ""
    right: str
    wrong: list[str]

    @property
    def continuations(self) -> list[str]:
        """All of them, the right one first."""
        return [self.begins + text for text in (self.right, *self.wrong)]


class Prompt(Record):
    """A prompt to be answered; `right` is what a right answer matches, where one can be told."""

    language: Language
    prompt: str
    right: str = ""

    def is_right(self, answer: str) -> bool:
        """Tell whether an answer is a right one."""
        return bool(re.search(self.right, answer, re.IGNORECASE))


class RegressionSet(Record):
    """Items to weigh and prompts to answer."""

    items: list[Item]
    prompts: list[Prompt]


@cache
def regression_set(file: Path = FILE) -> RegressionSet:
    """Return the set that ships, or another file's."""
    return RegressionSet.model_validate(read_yaml(file, EvaluationFailed))


def leaning(likelihoods: list[float]) -> float:
    """Return how far log-probabilities lean to the first continuation, 0..1."""
    weights = np.exp(np.array(likelihoods) - max(likelihoods))
    return float(weights[0] / weights.sum())
