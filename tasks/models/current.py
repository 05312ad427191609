"""The chosen model: which published version stands for the sentinel, told by one small file.

Its rename is the switch: a reader sees the old choice or the new one. A choice holds for the base
it was trained on, so that another base in the settings is served as it is.
"""

import json
import os

from pydantic import ValidationError

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
    file = settings().adapters_path / "current.json"
    try:
        return Choice.model_validate_json(file.read_text("utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def chosen(runtime: str, base: str) -> str:
    """Return the model to serve in the place of a runtime's base, or the base."""
    found = choice()
    holds = found and (found.runtime, found.base) == (runtime, base)
    return found.model if found and holds else base


def version_of(model: str) -> str:
    """Return the version a served model name stands for; empty where it is not the chosen one."""
    found = choice()
    return found.version if found and found.model == model else ""


def choose(new: Choice | None) -> None:
    """Switch to a version, or to the base: all at once, and on the disk before it returns."""
    folder = settings().adapters_path
    folder.mkdir(parents=True, exist_ok=True)
    file, part = folder / "current.json", folder / "current.json.part"
    if new is None:
        file.unlink(missing_ok=True)
    else:
        with part.open("w", encoding="utf-8") as stream:
            json.dump(new.model_dump(), stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
