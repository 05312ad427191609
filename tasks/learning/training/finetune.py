"""Fine-tuning: accepted examples (LoRA) or preferences (DPO) become an adapter.

mlx-lm's own trainer runs in a child process, so that its memory is free again when it ends,
whoever needs the cores goes first, and nothing that happens there harms this process.
"""

import shutil
import time
from importlib.metadata import version
from pathlib import Path

from tasks.learning.training.memory import Need, estimate
from tasks.learning.training.process import OnProgress, TrainingProcess
from tasks.learning.training.recipes import Recipe
from tasks.learning.training.records import (
    Go,
    Job,
    Manifest,
    Plan,
)
from tasks.machine.disk import ensure_room, sha256
from tasks.models.budget import budget, make_room
from tasks.models.runtime import runtime
from thirdshift.errors import NotFound, TrainingFailed
from thirdshift.records import Record, content_hash
from thirdshift.settings import settings

_LIBRARIES = ("mlx", "mlx-lm")  # another version may compute other bits
_KEEP = 14 * 86_400  # seconds that a checkpoint nobody came back to is kept


class Trained(Record):
    """An adapter: mlx-lm's folder, and what it was made of."""

    folder: Path
    manifest: Manifest


def train(
    base: Path,
    data: Path,
    out: Path,
    recipe: Recipe,
    *,
    start: Path | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Trained:
    """Train an adapter for the model in `base` on the rows in `data`; it appears whole at `out`.

    `base` is an MLX model folder; `data` holds train.jsonl and valid.jsonl: rows of `messages`
    or `prompt` and `completion`, for DPO `prompt`, `chosen` and `rejected`. `start` is an
    adapter to go on from. The same inputs give the same adapter, bit for bit on one machine;
    where it is there already it is returned. A training that was broken off goes on from its
    last checkpoint.

    Raises Preempted where the run is to yield, OutOfMemory with the numbers, DatasetInvalid,
    and TrainingFailed where the loss is no number or grows, or the process dies.
    """
    job = _job(base.absolute(), data.absolute(), out.absolute(), start, recipe)
    if job.out.exists():
        return _existing(job)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    ensure_room(job.out.parent)
    _drop_abandoned()
    TrainingProcess(job, lambda plan: _make_room(job, plan), on_progress).run()
    return Trained(folder=job.out, manifest=manifest(job.out))


def manifest(folder: Path) -> Manifest:
    """Return what an adapter was made of; raises NotFound where there is none."""
    file = folder / "manifest.json"
    if not file.exists():
        raise NotFound(f"There is no adapter of ours at {folder}.")
    return Manifest.model_validate_json(file.read_text(encoding="utf-8"))


def _existing(job: Job) -> Trained:
    existing = manifest(job.out)
    if existing.fingerprint != job.fingerprint:
        what = f"Another adapter lies at {job.out}."
        raise TrainingFailed(what, "Remove it, or choose another folder.")
    return Trained(folder=job.out, manifest=existing)


def _job(base: Path, data: Path, out: Path, start: Path | None, recipe: Recipe) -> Job:
    hashes = {f"base/{file.name}": sha256(file) for file in _files(base)}
    hashes |= {f"data/{file.name}": sha256(file) for file in _files(data) if _trained_on(file)}
    hashes |= {f"start/{file.name}": sha256(file) for file in _files(start) if start}
    libraries = [f"{name} {version(name)}" for name in _LIBRARIES]
    parts = [f"{name} {digest}" for name, digest in hashes.items()]
    fingerprint = content_hash(recipe.model_dump_json(), *libraries, *parts)
    return Job(
        base=base,
        data=data,
        out=out,
        start=start.absolute() if start else None,
        recipe=recipe,
        checkpoints=settings().checkpoints_path / f"training-{fingerprint}",
        fingerprint=fingerprint,
        hashes=hashes,
    )


def _files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.")
    return sorted(file for file in folder.iterdir() if file.is_file())


def _trained_on(file: Path) -> bool:
    return file.name in ("train.jsonl", "valid.jsonl")


def _make_room(job: Job, plan: Plan) -> Go:
    """Unload what must go for a plan; recompute instead of keeping where that is not enough."""
    need = estimate(job.base, job.recipe, plan)
    checkpointing = _checkpointing(job.recipe, need)
    make_room(runtime(), "The training", need.total(checkpointing), keep_sentinel=False)
    return Go(gradient_checkpointing=checkpointing, estimate=need.total(checkpointing))


def _checkpointing(recipe: Recipe, need: Need) -> bool:
    if recipe.gradient_checkpointing == "auto":
        return need.total(gradient_checkpointing=False) > budget()
    return recipe.gradient_checkpointing == "always"


def _drop_abandoned() -> None:
    for folder in settings().checkpoints_path.glob("training-*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _KEEP:
            shutil.rmtree(folder)
