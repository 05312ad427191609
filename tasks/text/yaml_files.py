"""YAML that people write: read whole, or refused with the file's name and what to do."""

from pathlib import Path
from typing import Any

import yaml

from thirdshift.errors import ThirdShiftError


def read_yaml(file: Path, error: type[ThirdShiftError]) -> dict[str, Any]:
    """Return the keys of a YAML file; an empty one has none. Raises `error`, naming the file."""
    try:
        keys = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        reason = " ".join(str(fault).split())
        raise error(f"{file} is not YAML: {reason}.", f"Mend it in {file}.") from None
    if not isinstance(keys, dict | None):
        raise error(f"{file} is not a list of keys and values.", "Write `key: value`, a line each.")
    return keys or {}
