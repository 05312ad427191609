"""A lesson: what was taught becomes a candidate, judged beside its base, then served or refused.

`prepare`, `train`, `nominate`, `judge`, `decide`, in this order: each can be done again, and finds
what is there already.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tasks.feedback.examples import taught
from tasks.learning import adapters
from tasks.learning.curation.dataset import curate, require_enough
from tasks.learning.evaluation.generation import answers
from tasks.learning.evaluation.held_out import held_out, known_clusters, require_held_out
from tasks.learning.evaluation.judge import Judge
from tasks.learning.evaluation.measuring import Model
from tasks.learning.training import finetune, recipes
from tasks.learning.training import report as training_report
from tasks.learning.training.finetune import Trained
from tasks.learning.training.process import OnProgress
from tasks.learning.training.recipes import Recipe
from tasks.learning.weights.base import base_weights
from tasks.models.current import choice
from tasks.models.runtime import runtime
from tasks.reports import verdict
from thirdshift.evaluation import Verdict
from thirdshift.learning import TAUGHT_BY, Dataset, Method
from thirdshift.records import content_hash
from thirdshift.settings import settings


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
        parts = (self.dataset.folder.name, self.base.name, self.recipe.model_dump_json(), start)
        return f"{self.method}-{content_hash(*parts)[:16]}"

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

    kind = TAUGHT_BY[method]
    require_enough(kind, len(taught(kind)))  # before the base is converted, which takes a while
    base, recipe = base_weights(runtime().base_file()), recipes.recipe(method)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    dataset = curate(
        kind,
        tokenizer,
        max_tokens=recipe.max_tokens,
        form="completion",
        seed=recipe.seed,
    )
    require_held_out(held_out(dataset))
    return Lesson(method, dataset, base, recipe, _current() if method == "dpo" else None)


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
    manifest = trained.manifest.model_dump(mode="json")
    manifest["dataset"] = lesson.dataset.manifest.model_dump(mode="json")
    version = adapters.add(f"sentinel-{lesson.method}", trained.folder, manifest)
    return adapters.publish(version.id)


def judge(lesson: Lesson, version: adapters.Version) -> Verdict:
    """Measure the candidate beside what it was trained from, and what is served."""
    bare = Model(lesson.base, None, partial(answers, runtime().base_model()))
    before = _model(lesson, lesson.start) if lesson.start else bare
    current = _current()
    served = _model(lesson, current) if current and not lesson.start else None
    known = known_clusters(lesson.dataset.manifest, current.dataset if current else None)
    court = Judge(
        before, _model(lesson, version), held_out(lesson.dataset), served=served, known=known
    )
    return court.judge(version.id, lesson.method)


def decide(lesson: Lesson, trained: Trained, version: adapters.Version, judged: Verdict) -> Path:
    """Serve what the gate let pass, refuse the rest; return the verdict's page."""
    if judged.promoted:
        adapters.promote(version.id)
    else:
        adapters.reject(version.id, judged.reason)
        runtime().remove(version.model)
    return verdict.write(judged, lesson.folder, training_report.artifact(trained.manifest))


def is_served(version: adapters.Version) -> bool:
    """Tell whether the version answers in the sentinel's place, for real."""
    current = choice()
    return bool(current and current.version == version.id and answers("", ["Hello."])[0])


def _current() -> adapters.Version | None:
    current = choice()
    held = current and (current.runtime, current.base) == (runtime().name, runtime().base_model())
    return adapters.version(current.version) if current and held else None


def _model(lesson: Lesson, version: adapters.Version) -> Model:
    return Model(lesson.base, version.folder, partial(answers, version.model))
