"""The current version: which published model stands for the sentinel, said by one small file.

Its rename is the switch: a reader sees the old choice or the new one. A choice holds for the base
it was trained on, so that another base in the settings is served as it is.
"""

import json
from pathlib import Path

from pydantic import ValidationError

from tasks.machine.disk import sync, write_whole
from thirdshift.records import Record
from thirdshift.settings import settings


class Choice(Record):
    """A version, the model name it is served under, and the versions before it, newest last."""

    runtime: str
    base: str  # the model it was trained on, as its runtime names it
    version: str
    model: str
    before: tuple[str, ...] = ()


def choice() -> Choice | None:
    """Return what was chosen, for whatever base; None where the base serves itself."""
    try:
        return Choice.model_validate_json(_file().read_text("utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def served_model(runtime: str, base: str) -> str:
    """Return the model to serve in the place of a runtime's base, or the base."""
    standing = choice()
    holds = standing and (standing.runtime, standing.base) == (runtime, base)
    return standing.model if standing and holds else base


def version_of(model: str) -> str:
    """Return the version a served model name stands for; empty where it is not the chosen one."""
    standing = choice()
    return standing.version if standing and standing.model == model else ""


def choose(new: Choice | None) -> None:
    """Switch to a version, or to the base: all at once, and on the disk before it returns."""
    file = _file()
    if new is not None:
        write_whole(file, json.dumps(new.model_dump(), indent=2), durable=True)
    elif file.exists():
        file.unlink(missing_ok=True)
        sync(file.parent)


def _file() -> Path:
    return settings().adapters_path / "current.json"
