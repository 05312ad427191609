"""Files that are no tables as they lie: a sheet of Excel and JSON become CSV."""

import json
from pathlib import Path

from tasks.analysis.extraction.rows import records_at, write_records, write_rows
from thirdshift.errors import SourceUnavailable


def write_sheet(path: Path, sheet: str | int, into: Path) -> dict[str, str]:
    """Write a sheet of an Excel file as CSV: the values that were last shown, never formulas."""
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True, data_only=True)
    names = book.sheetnames
    known = sheet < len(names) if isinstance(sheet, int) else sheet in names
    if not known:
        raise SourceUnavailable(f"{path} has no sheet {sheet}.", f"It has: {', '.join(names)}.")
    rows = book[names[sheet] if isinstance(sheet, int) else sheet].iter_rows(values_only=True)
    write_rows(into, (row for row in rows if any(value is not None for value in row)))
    return {}


def write_json(path: Path, into: Path) -> dict[str, str]:
    """Write a JSON file that holds a list of records as CSV."""
    write_records(into, records_at(json.loads(path.read_text(encoding="utf-8-sig")), ""))
    return {}
