"""The rows of a data set: put together, held to expectations, written with their manifest."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tasks.learning.curation.splits import Split
from tasks.machine.disk import ensure_room
from tasks.tables.validation import unmet
from tasks.text.scrubbing import detect
from thirdshift.errors import DatasetInvalid
from thirdshift.learning import Dataset, Example, Preference, Rejected
from thirdshift.paths import DATASETS
from thirdshift.records import content_hash
from thirdshift.settings import settings

REPLAY = DATASETS / "training" / "replay.jsonl"
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
_NAMED = 5  # faults that an error names


class CuratedRow(NamedTuple):
    """A row with its place: which split, which topic (-1: replay), how many tokens."""

    row: Example | Preference
    split: Split
    topic: int
    tokens: int


def rows_of(
    kept: Sequence[Example | Preference],
    labels: Sequence[int],
    splits: Sequence[Split],
    lengths: Mapping[str, int],
) -> list[CuratedRow]:
    """Return the rows with their places."""
    places = zip(kept, labels, splits, strict=True)
    return [CuratedRow(row, name, label, lengths[row.id]) for row, label, name in places]


def replayed(
    trained: int, share: float, length: Callable[[Example], int], seed: int
) -> list[CuratedRow]:
    """Return general examples that make up `share` of the training split, against forgetting."""
    lines = REPLAY.read_text(encoding="utf-8").splitlines()
    examples = [
        Example(id=content_hash("replay", line), origin="written", **json.loads(line))
        for line in lines
    ]
    wanted = round(trained * share / (1 - share))
    chosen = sorted(examples, key=lambda one: content_hash(str(seed), one.id))[:wanted]
    return [CuratedRow(one, "train", -1, length(one)) for one in chosen]


def check(kind: str, rows: Sequence[CuratedRow], max_tokens: int) -> None:
    """Hold a set to its suite of expectations; raises DatasetInvalid naming rows and reasons."""
    import pandas as pd

    frame = pd.DataFrame([_looked_at(one, max_tokens) for one in rows])
    failures = unmet(frame, DATASETS / "expectations" / f"{kind}.json")
    if failures:
        told = [
            f"{one.column or 'rows'}: {one.said} (rows {', '.join(_ids(one.rows, rows)) or '-'})"
            for one in failures[:_NAMED]
        ]
        raise DatasetInvalid(
            f"The set of {kind} is refused. {'; '.join(told)}.",
            "See one with `thirdshift examples show ID`, remove it with `… delete ID`.",
        )


def write(
    rows: Sequence[CuratedRow], rejected: Sequence[Rejected], options: Mapping[str, Any]
) -> Dataset:
    """Write the splits and the manifest in one step; an equal set is the same folder."""
    form = str(options["form"])
    files = {name: _jsonl([one.row for one in rows if one.split == name], form) for name in SPLITS}
    manifest = {
        "settings": dict(options),
        "counts": dict(Counter(one.split for one in rows)) | {"left_out": len(rejected)},
        "replay": sum(one.topic < 0 for one in rows),
        "sha256": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
        "rows": [[one.row.id, one.split, one.topic, one.tokens] for one in rows],
        "left_out": [one.model_dump() for one in rejected],
    }
    said = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True)
    folder = settings().training_path / "datasets" / f"{options['kind']}-{content_hash(said)[:16]}"
    if not folder.exists():
        _place(folder, {f"{name}.jsonl": text for name, text in files.items()}, said)
    return Dataset(folder=folder, manifest=manifest, left_out=list(rejected))


def _place(folder: Path, files: Mapping[str, str], manifest: str) -> None:
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    ensure_room(part)
    for name, text in (*files.items(), ("manifest.json", manifest)):
        (part / name).write_text(text, encoding="utf-8", newline="\n")
    part.replace(folder)


def _jsonl(rows: Sequence[Example | Preference], form: str) -> str:
    return "".join(json.dumps(_written(row, form), ensure_ascii=False) + "\n" for row in rows)


def _written(row: Example | Preference, form: str) -> dict[str, Any]:
    if isinstance(row, Preference):
        return {"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected}
    if form == "completion":
        return {"prompt": row.prompt, "completion": row.completion}
    turns = (("user", row.prompt), ("assistant", row.completion))
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def _looked_at(one: CuratedRow, max_tokens: int) -> dict[str, Any]:
    """Return what the expectations are about."""
    row = one.row
    seen = {"id": row.id, "split": one.split, "tokens": one.tokens, "prompt": row.prompt}
    if isinstance(row, Example):
        seen["completion"] = row.completion
    else:
        seen |= {
            "chosen": row.chosen,
            "rejected": row.rejected,
            "differs": row.chosen != row.rejected,
        }
    whole = "\n".join(str(value) for value in _written(row, "completion").values())
    return seen | {"fits": one.tokens <= max_tokens, "identifiers": len(detect(whole))}


def _ids(numbers: Sequence[int], rows: Sequence[CuratedRow]) -> list[str]:
    return [rows[number].row.id[:8] for number in numbers[:_NAMED]]
