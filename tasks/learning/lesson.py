"""A lesson: what was taught becomes a candidate, judged beside its base, then served or refused.

`prepare`, `train`, `nominate`, `judge`, `decide`, in this order: each can be done again, and finds
what is there already.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tasks.feedback.examples import taught
from tasks.learning import adapters
from tasks.learning.curation.dataset import curate
from tasks.learning.curation.dataset import require as require_enough
from tasks.learning.evaluation.answering import answers
from tasks.learning.evaluation.judge import (
    HeldOut,
    Judge,
    Method,
    Model,
    require,
)
from tasks.learning.training import finetune
from tasks.learning.training import report as training_report
from tasks.learning.training.data import rows
from tasks.learning.training.finetune import Trained
from tasks.learning.training.process import OnProgress
from tasks.learning.training.recipes import Recipe, recipe
from tasks.learning.weights.base import base_weights
from tasks.models.current import choice
from tasks.models.runtime import runtime
from tasks.reports import verdict
from thirdshift.evaluation import Verdict
from thirdshift.learning import Dataset
from thirdshift.records import content_hash
from thirdshift.settings import settings

_KINDS: dict[Method, Literal["examples", "preferences"]] = {
    "lora": "examples",
    "dpo": "preferences",
}


@dataclass(frozen=True)
class Lesson:
    """Curated data, the base it is taught to, and the adapter to start from (DPO only)."""

    method: Method
    dataset: Dataset
    base: Path
    recipe: Recipe
    start: adapters.Version | None

    @property
    def name(self) -> str:
        """What is learnt, by content: the same data, base, recipe and start, the same lesson."""
        start = self.start.id if self.start else ""
        given = (self.dataset.folder.name, self.base.name, self.recipe.model_dump_json(), start)
        return f"{self.method}-{content_hash(*given)[:16]}"

    @property
    def folder(self) -> Path:
        """Where its adapter and its verdict lie."""
        return settings().evaluations_path / self.name

    @property
    def judged(self) -> Path | None:
        """The verdict's page, where the gate decided already."""
        page = self.folder / "verdict.html"
        return page if page.exists() else None


def prepare(method: Method) -> Lesson:
    """Curate what was taught; raises TooLittleData, DatasetInvalid."""
    from transformers import AutoTokenizer

    kind = _KINDS[method]
    require_enough(kind, len(taught(kind)))  # before the base is converted, which takes a while
    base, chosen = base_weights(runtime().base_file()), recipe(method)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    dataset = curate(
        kind,
        tokenizer,
        max_tokens=chosen.max_tokens,
        form="completion",
        seed=chosen.seed,
    )
    require(held_out(dataset))
    return Lesson(method, dataset, base, chosen, _current() if method == "dpo" else None)


def train(lesson: Lesson, on_progress: OnProgress = lambda progress: None) -> Trained:
    """Train, or go on with it; raises what `finetune.train` does."""
    start = lesson.start.folder if lesson.start else None
    out = lesson.folder / "adapter"
    return finetune.train(
        lesson.base,
        lesson.dataset.folder,
        out,
        lesson.recipe,
        start=start,
        on_progress=on_progress,
    )


def nominate(lesson: Lesson, trained: Trained) -> adapters.Version:
    """Keep the adapter as a version and register its model, which nobody is served yet."""
    fingerprint = trained.manifest.fingerprint
    for known in adapters.versions():
        if known.manifest.get("fingerprint") == fingerprint and known.state != "rejected":
            return adapters.publish(known.id)
    manifest = trained.manifest.model_dump(mode="json") | {"dataset": lesson.dataset.manifest}
    version = adapters.add(f"sentinel-{lesson.method}", trained.folder, manifest)
    return adapters.publish(version.id)


def judge(lesson: Lesson, version: adapters.Version) -> Verdict:
    """Measure the candidate beside what it was trained from, and what is served."""
    bare = Model(lesson.base, None, partial(answers, runtime().base_model()))
    before = _model(lesson, lesson.start) if lesson.start else bare
    current = _current()
    served = _model(lesson, current) if current and not lesson.start else None
    candidate = _model(lesson, version)
    known = known_topics(lesson.dataset, current) if current else set()
    court = Judge(before, candidate, held_out(lesson.dataset), served=served, known=known)
    return court.judge(version.id, lesson.method)


def decide(lesson: Lesson, trained: Trained, version: adapters.Version, judged: Verdict) -> Path:
    """Serve what the gate let pass, refuse the rest; return the verdict's page."""
    if judged.promoted:
        adapters.promote(version.id)
    else:
        adapters.reject(version.id, judged.reason)
        runtime().remove(version.model)
    return verdict.write(judged, lesson.folder, training_report.artifact(trained.manifest))


def held_out(dataset: Dataset) -> list[HeldOut]:
    """Return the test rows with their topics."""
    topics = [topic for _, split, topic, _ in dataset.manifest["rows"] if split == "test"]
    read = [row for _, row in rows(dataset.folder / "test.jsonl")]
    return [
        HeldOut(
            prompt=row["prompt"],
            wanted=row.get("chosen") or row["completion"],
            rejected=row.get("rejected", ""),
            topic=str(topic),
        )
        for row, topic in zip(read, topics, strict=True)
    ]


def known_topics(dataset: Dataset, version: adapters.Version) -> set[str]:
    """Return the topics of a data set of which a version was taught some row."""
    rows = version.manifest.get("dataset", {}).get("rows", [])
    taught = {name for name, split, *_ in rows if split != "test"}
    return {str(topic) for name, _, topic, _ in dataset.manifest["rows"] if name in taught}


def is_served(version: adapters.Version) -> bool:
    """Tell whether the version answers in the sentinel's place, for real."""
    found = choice()
    return bool(found and found.version == version.id and answers("", ["Hello."])[0])


def _current() -> adapters.Version | None:
    found = choice()
    holds = found and (found.runtime, found.base) == (runtime().name, runtime().base_model())
    return adapters.version(found.version) if found and holds else None


def _model(lesson: Lesson, version: adapters.Version) -> Model:
    return Model(lesson.base, version.folder, partial(answers, version.model))
