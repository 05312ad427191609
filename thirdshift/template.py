"""The settings file as a person first sees it: every key, explained, with its default."""

import json
from typing import Any

from thirdshift.sections import Section
from thirdshift.settings import Settings


def template() -> str:
    """Return the settings file with every key, its comment above it and its default."""
    lines = ["# Third Shift's settings. A key that is commented out has the value shown."]
    tables = []
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            tables.append((name, field.annotation))
        elif name != "home":
            lines += _key(name, field.get_default(call_default_factory=True), field.description)
    for name, section in tables:
        lines += ["", f"# {section.__doc__}", f"[{name}]"]
        for key, field in section.model_fields.items():
            lines += _key(key, field.get_default(call_default_factory=True), field.description)
    return "\n".join(lines) + "\n"


def _key(name: str, value: Any, comment: str | None) -> list[str]:
    return ["", f"# {comment}", f"# {name} = {json.dumps(value, ensure_ascii=False)}"]
