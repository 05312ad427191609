"""Analyses: the YAML files that say them, read, checked and listed."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from thirdshift.analysis import Analysis
from thirdshift.errors import AnalysisInvalid, NotFound
from thirdshift.paths import DATASETS
from thirdshift.settings import settings

SHIPPED = DATASETS / "analyses"


def analyses() -> list[Analysis]:
    """Return all analyses, the owner's and those shipped, by name.

    The owner's takes the place of a shipped one of the same name. Raises AnalysisInvalid.
    """
    return [read(file) for file in files().values()]


def files() -> dict[str, Path]:
    """Return the files of all analyses by name, whether or not they can be read."""
    folders = [settings().analyses_path]
    if settings().analyst.samples:
        folders.insert(0, SHIPPED)
    found = {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}
    return dict(sorted(found.items()))


def find(name: str) -> Analysis:
    """Return the analysis called `name`, or raise NotFound listing those there are."""
    listed = files()
    if name not in listed:
        there = f"There are: {', '.join(listed)}." if listed else "`thirdshift analyses add FILE`."
        raise NotFound(f"No analysis is called {name}.", there)
    return read(listed[name])


def read(file: Path) -> Analysis:
    """Return the analysis that a file says.

    Raises AnalysisInvalid naming the file, the key, its value and what is allowed.
    """
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AnalysisInvalid(f"{file} is not YAML: {error}.") from error
    if not isinstance(given, dict):
        raise AnalysisInvalid(f"{file} is not a list of keys and values.", "See the samples.")
    try:
        place: dict[str, Any] = {"name": file.stem, "folder": file.parent}
        return Analysis.model_validate(given | place)
    except ValidationError as error:
        faults = " ".join(_fault(item) for item in error.errors())
        raise AnalysisInvalid(f"{file}: {faults}", f"Mend it in {file}.") from None


def _fault(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"]) or "the file"
    said = item["msg"].removeprefix("Value error, ")
    shown = repr(item["input"])
    return f"{key} = {shown if len(shown) <= 80 else shown[:79] + '…'}: {said}."
