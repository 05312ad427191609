"""Model registry: versions of adapters with what made them, published, switched, undone.

Files come first, under a temporary name, and are registered last: whatever moment the power goes,
a version is there whole or not at all. What is current is one file's say
(`tasks.models.current`), so that no row can contradict it.
"""

import json
import logging
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from pydantic import Field

from tasks.learning import canary
from tasks.learning.weights.base import base_weights
from tasks.learning.weights.conversion import content
from tasks.learning.weights.lora import CONFIG, WEIGHTS, read_adapter
from tasks.learning.weights.merging import merge
from tasks.machine.disk import whole_folder, write_whole
from tasks.memory.store import store
from tasks.models.current import Choice, choice, choose
from tasks.models.runtime import runtime
from thirdshift.errors import AdapterRefused, NotFound
from thirdshift.learning import DatasetManifest
from thirdshift.records import Record, now
from thirdshift.settings import settings

State = Literal["candidate", "rejected", "published", "current", "retired"]

log = logging.getLogger(__name__)


class Version(Record):
    """An adapter of ours. `base` is the served model it was trained on, by name and content."""

    id: str  # series:vN
    series: str
    number: int
    state: State
    reason: str = ""
    runtime: str
    base: str
    base_content: str
    manifest: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime = Field(default_factory=now)
    changed_at: datetime = Field(default_factory=now)

    @property
    def folder(self) -> Path:
        """The adapter as mlx-lm wrote it."""
        return settings().adapters_path / self.id.replace(":", "-")

    @property
    def model(self) -> str:
        """The name it is served under."""
        return f"thirdshift-{self.id}"

    @property
    def dataset(self) -> DatasetManifest | None:
        """What it was taught; None where its manifest does not say."""
        dataset = self.manifest.get("dataset")
        return DatasetManifest.model_validate(dataset) if dataset else None


def versions() -> list[Version]:
    """Return all versions, the oldest first."""
    rows = store().rows("adapters").to_pylist()
    listed = [Version(**row | {"manifest": json.loads(row["manifest"])}) for row in rows]
    current = choice()
    if current:
        listed = [_marked(version, current) for version in listed]
    return sorted(listed, key=lambda version: (version.created_at, version.number))


def _marked(version: Version, current: Choice) -> Version:
    serves = version.id == current.version
    return version.model_copy(update={"state": "current"}) if serves else version


def version(name: str) -> Version:
    """Return a version by name; raises NotFound."""
    for candidate in versions():
        if candidate.id == name:
            return candidate
    raise NotFound(f"There is no adapter {name}.", "See `thirdshift adapters list`.")


def add(series: str, folder: Path, manifest: dict[str, Any]) -> Version:
    """Keep an adapter folder of mlx-lm as the next version of a series, a candidate.

    Raises ModelUnsupported where it could not be published anyway.
    """
    read_adapter(folder)
    with _turn():
        numbers = (earlier.number for earlier in versions() if earlier.series == series)
        number = max(numbers, default=0) + 1
        base = runtime().base_file()
        new = Version(
            id=f"{series}:v{number}",
            series=series,
            number=number,
            state="candidate",
            runtime=runtime().name,
            base=runtime().base_model(),
            base_content=content(base),
            manifest=manifest,
        )
        _copy(folder, new)
        _record(new)
    return new


def _copy(folder: Path, new: Version) -> None:
    stale = (new.folder, *new.folder.parent.glob(f"{new.folder.name}.*.part"))
    for old in stale:  # of a version that was never registered
        shutil.rmtree(old, ignore_errors=True)
    with whole_folder(new.folder, durable=True) as part:
        for name in (WEIGHTS, CONFIG):
            shutil.copyfile(folder / name, part / name)
        write_whole(part / "manifest.json", json.dumps(new.manifest, indent=2, default=str))


def reject(name: str, reason: str) -> Version:
    """Keep a candidate as one that the gate refused."""
    return _record(_changed(version(name), "rejected", reason))


def publish(name: str) -> Version:
    """Merge a version into its base and register the model; it is not served as the sentinel yet.

    Raises AdapterRefused where the gate rejected it or its base is no longer the one served.
    """
    candidate = version(name)
    if candidate.state in {"published", "current"} and runtime().model_bytes(candidate.model):
        return candidate
    if candidate.state == "rejected":
        raise AdapterRefused(f"{name} was rejected: {candidate.reason}", "Train again.")
    base = runtime().base_file()
    if (candidate.runtime, candidate.base_content) != (runtime().name, content(base)):
        raise AdapterRefused(f"{name} was trained on {candidate.base}, another base is served now.")
    with _turn():
        for rest in candidate.folder.glob("merged.gguf*"):  # of a merge that was broken off
            rest.unlink()
        merged = candidate.folder / "merged.gguf"
        merge(base, candidate.folder, merged)
        runtime().publish(candidate.model, merged, like=candidate.base)
        merged.unlink()
        return _record(_changed(candidate, "published"))


def promote(name: str) -> Version:
    """Let a version answer in the place of the sentinel, published first where it is not."""
    new = publish(name)
    before = choice()
    if before and before.version == name:
        return new
    _prove(new)
    earlier = (*before.before, before.version) if before and before.base == new.base else ()
    choose(
        Choice(runtime=new.runtime, base=new.base, version=name, model=new.model, before=earlier)
    )
    if before:
        runtime().unload(before.model)
    prune()
    return version(name)


def _prove(new: Version) -> None:
    """Refuse a published model that is not what was trained, by log-probability."""
    comparison = canary.compare(
        runtime(), new.model, base_weights(runtime().base_file()), new.folder
    )
    log.info("Canary of %s: %s", new.id, comparison)
    if comparison.fault:
        _record(_changed(new, "rejected", comparison.fault))
        runtime().remove(new.model)
        raise AdapterRefused(f"{new.id}: {comparison.fault}", "The model before it still serves.")


def rollback() -> Version | None:
    """Go back to the version before, at last to the base (None). Nothing is deleted.

    Raises NotFound where the base serves already.
    """
    current = choice()
    if current is None:
        raise NotFound("The base model serves; there is nothing to roll back to.")
    *earlier, last = ("", *current.before)
    if not last:
        choose(None)
    else:
        model = publish(last).model
        update = {"version": last, "model": model, "before": tuple(earlier[1:])}
        choose(current.model_copy(update=update))
    runtime().unload(current.model)
    return version(last) if last else None


def prune() -> list[Version]:
    """Retire the oldest published models beyond the settings; adapters are kept, they are small.

    The current version and the one before it stay.
    """
    current = choice()
    needed = {current.version, *current.before[-1:]} if current else set()
    published = [held for held in versions() if held.state in {"published", "current"}]
    room, retired = settings().learning.versions_gb * 1e9, []
    for count, held in enumerate(reversed(published), 1):
        room -= runtime().model_bytes(held.model)
        if held.id not in needed and (count > settings().learning.keep_versions or room < 0):
            retired.append(_record(_changed(held, "retired", "to save disk")))
            runtime().remove(held.model)
    return retired


def _changed(version: Version, state: State, reason: str = "") -> Version:
    return version.model_copy(update={"state": state, "reason": reason, "changed_at": now()})


def _record(version: Version) -> Version:
    row = version.model_dump() | {"manifest": json.dumps(version.manifest, default=str)}
    store().upsert("adapters", [row])
    return version


def _turn() -> FileLock:
    settings().adapters_path.mkdir(parents=True, exist_ok=True)
    return FileLock(settings().adapters_path / ".lock")
