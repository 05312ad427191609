"""Records and rows as CSV in UTF-8: how everything that is not a file of its own is kept."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from thirdshift.errors import SourceUnavailable


def write_rows(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as CSV in UTF-8: one way for everything that is not a file of its own."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for row in rows:
            writer.writerow([_cell(value) for value in row])


def write_records(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records as CSV, a column for every key in any of them.

    {"day": 1, "v": {"sales": 7}}, {"day": 2, "shop": "a"}   become
    day,v.sales,shop
    1,7,
    2,,a
    """
    flat = [dict(_flat(record)) for record in records]
    names = list(dict.fromkeys(name for record in flat for name in record))
    if not names:
        raise SourceUnavailable("There is no record in the answer.", "Look at `records`.")
    write_rows(path, [names, *([record.get(name) for name in names] for record in flat)])


def records_at(answer: Any, where: str) -> list[Mapping[str, Any]]:
    """Return the list of records in a JSON answer; `where` names its place, as data.items.

    Without a place it is the answer's only list; an answer without one is a record itself.
    """
    records = value_at(answer, where)
    if not where and isinstance(records, dict):
        lists = [value for value in records.values() if isinstance(value, list)]
        records = lists[0] if len(lists) == 1 else [records]
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise SourceUnavailable(
            f"There is no list of records at {where or 'the top of'!r} the answer.",
            "Name its place with `records`, as data.items.",
        )
    return records


def value_at(answer: Any, where: str) -> Any:
    """Return what an answer has at a place, as data.items; None where it has nothing."""
    for key in filter(None, where.split(".")):
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer


def _flat(record: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
