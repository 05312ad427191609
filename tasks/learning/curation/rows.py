"""The rows of a data set: put together, held to expectations, written with their manifest."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.machine.disk import ensure_room, whole_folder, write_whole
from tasks.tables.validation import unmet
from tasks.text import scrubbing
from thirdshift.errors import DatasetInvalid
from thirdshift.learning import (
    CuratedRow,
    CurationSettings,
    Dataset,
    DatasetManifest,
    Example,
    Form,
    Kind,
    Preference,
    Rejected,
    Split,
)
from thirdshift.paths import DATASETS
from thirdshift.records import content_hash
from thirdshift.settings import settings

REPLAY = DATASETS / "training" / "replay.jsonl"
REPLAYED = -1  # the cluster of what is replayed
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
_NAMED = 5  # faults that an error names


class PlacedRow(NamedTuple):
    """What was taught, with its place: which split, which cluster (-1: replay), how many tokens."""

    row: Example | Preference
    split: Split
    cluster: int
    tokens: int

    @property
    def curated(self) -> CuratedRow:
        """The row as the manifest names it."""
        return CuratedRow(
            id=self.row.id, split=self.split, cluster=self.cluster, tokens=self.tokens
        )


def placed_rows(
    rows: Sequence[Example | Preference],
    labels: Sequence[int],
    splits: Sequence[Split],
    lengths: Mapping[str, int],
) -> list[PlacedRow]:
    """Return the rows with their places."""
    places = zip(rows, labels, splits, strict=True)
    return [PlacedRow(row, name, label, lengths[row.id]) for row, label, name in places]


def replayed_rows(
    trained: int, share: float, length: Callable[[Example], int], seed: int
) -> list[PlacedRow]:
    """Return general examples that make up `share` of the training split, against forgetting."""
    lines = REPLAY.read_text(encoding="utf-8").splitlines()
    examples = [
        Example(id=content_hash("replay", line), origin="written", **json.loads(line))
        for line in lines
    ]
    wanted = round(trained * share / (1 - share))
    drawn = sorted(examples, key=lambda example: content_hash(str(seed), example.id))[:wanted]
    return [PlacedRow(example, "train", REPLAYED, length(example)) for example in drawn]


def check_rows(kind: Kind, rows: Sequence[PlacedRow], max_tokens: int) -> None:
    """Hold a set to its suite of expectations; raises DatasetInvalid naming rows and reasons."""
    import pandas as pd

    frame = pd.DataFrame([_looked_at(placed, max_tokens) for placed in rows])
    failures = unmet(frame, DATASETS / "expectations" / f"{kind}.json")
    if failures:
        reasons = [
            f"{failure.column or 'rows'}: {failure.reason} "
            f"(rows {', '.join(_ids(failure.rows, rows)) or '-'})"
            for failure in failures[:_NAMED]
        ]
        raise DatasetInvalid(
            f"The set of {kind} is refused. {'; '.join(reasons)}.",
            "See one with `thirdshift examples show ID`, remove it with `… delete ID`.",
        )


def write_dataset(
    rows: Sequence[PlacedRow], rejected: Sequence[Rejected], options: CurationSettings
) -> Dataset:
    """Write the splits and the manifest in one step; an equal set is the same folder."""
    files = {
        name: _jsonl([placed.row for placed in rows if placed.split == name], options.form)
        for name in SPLITS
    }
    manifest = DatasetManifest(
        settings=options,
        counts=dict(Counter(placed.split for placed in rows)) | {"left_out": len(rejected)},
        replay=sum(placed.cluster == REPLAYED for placed in rows),
        sha256={name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
        rows=[placed.curated for placed in rows],
        left_out=list(rejected),
    )
    text = json.dumps(manifest.model_dump(), ensure_ascii=False, indent=1, sort_keys=True)
    folder = settings().training_path / "datasets" / f"{options.kind}-{content_hash(text)[:16]}"
    if not folder.exists():
        with whole_folder(folder, durable=True) as part:  # what exists is trusted to be whole
            ensure_room(part)
            for name, lines in files.items():
                write_whole(part / f"{name}.jsonl", lines)
            write_whole(part / "manifest.json", text)
    return Dataset(folder=folder, manifest=manifest)


def _jsonl(rows: Sequence[Example | Preference], form: Form) -> str:
    return "".join(json.dumps(_written(row, form), ensure_ascii=False) + "\n" for row in rows)


def _written(row: Example | Preference, form: Form) -> dict[str, Any]:
    if isinstance(row, Preference):
        return {"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected}
    if form == "completion":
        return {"prompt": row.prompt, "completion": row.completion}
    turns = (("user", row.prompt), ("assistant", row.completion))
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def _looked_at(placed: PlacedRow, max_tokens: int) -> dict[str, Any]:
    """Return what the expectations are about."""
    row = placed.row
    columns = {"id": row.id, "split": placed.split, "tokens": placed.tokens, "prompt": row.prompt}
    if isinstance(row, Example):
        columns["completion"] = row.completion
    else:
        columns |= {
            "chosen": row.chosen,
            "rejected": row.rejected,
            "differs": row.chosen != row.rejected,
        }
    whole = "\n".join(str(text) for text in _written(row, "completion").values())
    identifiers = len(scrubbing.detect(whole))
    return columns | {"fits": placed.tokens <= max_tokens, "identifiers": identifiers}


def _ids(numbers: Sequence[int], rows: Sequence[PlacedRow]) -> list[str]:
    return [rows[number].row.id[:8] for number in numbers[:_NAMED]]
