"""Versions of adapters: kept with what made them, published as whole models, switched, undone.

Files come first, under a temporary name, and are registered last: whatever moment the power goes,
a version is there whole or not at all. What is current is one file's say
(`tasks.models.current`), so that no row can contradict it.
"""

import json
import logging
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from pydantic import Field

from tasks.learning.canary import compare
from tasks.learning.weights.base import base_weights
from tasks.learning.weights.conversion import content
from tasks.learning.weights.lora import CONFIG, WEIGHTS, read
from tasks.learning.weights.merging import merge
from tasks.machine.disk import sync
from tasks.memory.store import store
from tasks.models.current import Choice, choice, choose
from tasks.models.runtime import runtime
from thirdshift.errors import AdapterRefused, NotFound
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


def versions() -> list[Version]:
    """Return all versions, the oldest first."""
    rows = store().rows("adapters").to_pylist()
    found = choice()
    now_served = found.version if found else ""
    read_rows = [Version(**row | {"manifest": json.loads(row["manifest"])}) for row in rows]
    told = [
        one.model_copy(update={"state": "current"}) if one.id == now_served else one
        for one in read_rows
    ]
    return sorted(told, key=lambda one: (one.created_at, one.number))


def version(name: str) -> Version:
    """Return a version by name; raises NotFound."""
    for one in versions():
        if one.id == name:
            return one
    raise NotFound(f"There is no adapter {name}.", "See `thirdshift adapters list`.")


def add(series: str, folder: Path, manifest: dict[str, Any]) -> Version:
    """Keep an adapter folder of mlx-lm as the next version of a series, a candidate.

    Raises ModelUnsupported where it could not be published anyway.
    """
    read(folder)
    with _turn():
        number = max((one.number for one in versions() if one.series == series), default=0) + 1
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
    part = new.folder.with_suffix(".part")
    for old in (part, new.folder):  # of a version that was never registered
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir(parents=True)
    for name in (WEIGHTS, CONFIG):
        shutil.copyfile(folder / name, part / name)
    (part / "manifest.json").write_text(json.dumps(new.manifest, indent=2, default=str))
    for file in (*part.iterdir(), part):
        sync(file)
    part.replace(new.folder)
    sync(new.folder.parent)


def reject(name: str, reason: str) -> Version:
    """Keep a candidate as one that the gate refused."""
    return _record(_changed(version(name), "rejected", reason))


def publish(name: str) -> Version:
    """Merge a version into its base and register the model; it is not served as the sentinel yet.

    Raises AdapterRefused where the gate rejected it or its base is no longer the one served.
    """
    one = version(name)
    if one.state in {"published", "current"} and runtime().model_bytes(one.model):
        return one
    if one.state == "rejected":
        raise AdapterRefused(f"{name} was rejected: {one.reason}", "Train again.")
    base = runtime().base_file()
    if (one.runtime, one.base_content) != (runtime().name, content(base)):
        raise AdapterRefused(f"{name} was trained on {one.base}, another base is served now.")
    with _turn():
        merged = one.folder / "merged.gguf"
        merge(base, one.folder, merged)
        runtime().publish(one.model, merged, like=one.base)
        merged.unlink()
        return _record(_changed(one, "published"))


def promote(name: str) -> Version:
    """Let a version answer in the place of the sentinel, published first where it is not."""
    one = publish(name)
    before = choice()
    if before and before.version == name:
        return one
    _prove(one)
    earlier = (*before.before, before.version) if before and before.base == one.base else ()
    choose(
        Choice(runtime=one.runtime, base=one.base, version=name, model=one.model, before=earlier)
    )
    if before:
        runtime().unload(before.model)
    prune()
    return version(name)


def _prove(one: Version) -> None:
    """Refuse a published model that is not what was trained, by log-probability."""
    found = compare(runtime(), one.model, base_weights(runtime().base_file()), one.folder)
    log.info("Canary of %s: %s", one.id, found)
    if found.verdict:
        _record(_changed(one, "rejected", found.verdict))
        runtime().remove(one.model)
        raise AdapterRefused(f"{one.id}: {found.verdict}", "The model before it still serves.")


def rollback() -> Version | None:
    """Go back to the version before, at last to the base (None). Nothing is deleted.

    Raises NotFound where the base serves already.
    """
    now_served = choice()
    if now_served is None:
        raise NotFound("The base model serves; there is nothing to roll back to.")
    *earlier, last = ("", *now_served.before)
    if not last:
        choose(None)
    else:
        one = publish(last)
        update = {"version": last, "model": one.model, "before": tuple(earlier[1:])}
        choose(now_served.model_copy(update=update))
    runtime().unload(now_served.model)
    return version(last) if last else None


def prune() -> list[Version]:
    """Retire the oldest published models beyond the settings; adapters are kept, they are small.

    The current version and the one before it stay.
    """
    found = choice()
    kept = {found.version, *found.before[-1:]} if found else set()
    held = [one for one in versions() if one.state in {"published", "current"}]
    room, retired = settings().learning.versions_gb * 1e9, []
    for count, one in enumerate(reversed(held), 1):
        room -= runtime().model_bytes(one.model)
        if one.id not in kept and (count > settings().learning.keep_versions or room < 0):
            retired.append(_record(_changed(one, "retired", "to save disk")))
            runtime().remove(one.model)
    return retired


def _changed(one: Version, state: State, reason: str = "") -> Version:
    return one.model_copy(update={"state": state, "reason": reason, "changed_at": now()})


def _record(one: Version) -> Version:
    row = one.model_dump() | {"manifest": json.dumps(one.manifest, default=str)}
    store().upsert("adapters", [row])
    return one


def _turn() -> FileLock:
    settings().adapters_path.mkdir(parents=True, exist_ok=True)
    return FileLock(settings().adapters_path / ".lock")


def answers(name: str, prompts: Sequence[str], max_tokens: int = 128) -> list[dict[str, str]]:
    """Ask the bare base and a version the same; the version is published where it is not."""
    one, base = publish(name), runtime().base_model()

    def ask(model: str, prompt: str) -> str:
        chat = runtime().chat(model=model, max_tokens=max_tokens)
        return str(chat.invoke(prompt).content).strip()

    before = [ask(base, prompt) for prompt in prompts]
    after = [ask(one.model, prompt) for prompt in prompts]
    columns = zip(prompts, before, after, strict=True)
    return [{"prompt": a, "before": b, "after": c} for a, b, c in columns]
