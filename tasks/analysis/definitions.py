"""Definitions of analyses: the YAML files that say them, read, checked and listed."""

from pathlib import Path

from pydantic import ValidationError

from tasks.text.yaml_files import read_yaml
from thirdshift.analysis import Analysis
from thirdshift.errors import AnalysisInvalid, NotFound, explained
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
    named = {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}
    return dict(sorted(named.items()))


def find(name: str) -> Analysis:
    """Return the analysis called `name`, or raise NotFound listing those there are."""
    listed = files()
    if name not in listed:
        there = f"There are: {', '.join(listed)}." if listed else "`thirdshift analyses add FILE`."
        raise NotFound(f"No analysis is called {name}.", there)
    return read(listed[name])


def read(file: Path, target: Path | None = None) -> Analysis:
    """Return the analysis that a file says, or would say where it is to lie: at `target`.

    Its name is that of its file, and paths in it are relative to its folder. Raises
    AnalysisInvalid naming the file, the key, its value and what is allowed.
    """
    place = target or file
    keys = read_yaml(file, AnalysisInvalid) | {"name": place.stem, "folder": place.parent}
    try:
        return Analysis.model_validate(keys)
    except ValidationError as error:
        raise AnalysisInvalid(f"{file}: {explained(error)}", f"Mend it in {file}.") from None
