"""CSV dialects: delimited text as people really write it, in any encoding and notation.

A sample of the file is judged; what the analysis says of it is not questioned.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tasks.machine.disk import whole_file
from tasks.tables.columns import Column, decimal_mark, judge_column
from tasks.text import decoding
from thirdshift.data_sources import Dialect
from thirdshift.errors import SourceUnavailable

_SAMPLE = 262_144  # bytes from the head, and as many from the middle and the end
_DELIMITERS = ",;\t|"
_ENCODINGS = (
    "utf-8", "cp932", "euc_jis_2004", "iso2022_jp", "utf-16", "utf-16-le", "utf-16-be", "cp1252",
)  # fmt: skip
_JUDGED = 4000  # rows from all over the sample, by which columns are judged
_LONGEST = 10_000_000  # characters of a field, of which csv's own limit is 131,072
_LOOK = 60  # lines that are judged for the separator


@dataclass(frozen=True)
class CsvLayout:
    """How a file of delimited text is to be read."""

    encoding: str
    delimiter: str
    skip: int  # lines before the first row of data
    columns: list[Column]
    line_bytes: float  # average, to know how many rows a file may have
    sampled: dict[str, list[str]]  # values by column, from the head, the middle and the end

    @property
    def utf8(self) -> bool:
        """Whether it can be read without being written anew."""
        return self.encoding == "utf-8"


def csv_layout(path: Path, dialect: Dialect) -> CsvLayout:
    """Return how to read a file; raises SourceUnavailable where it has no columns."""
    return _Sample(path, dialect).layout


class _Sample:
    """Parts of a file, and what they tell of the whole."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self._path, self._dialect = path, dialect
        self._parts = list(_parts(path))
        if not any(part.strip() for part in self._parts):
            raise SourceUnavailable(f"{path} is empty.", "Look at where it comes from.")

    @cached_property
    def encoding(self) -> str:
        return self._dialect.encoding or _encoding(_telling(self._parts))

    @cached_property
    def _head(self) -> list[str]:
        csv.field_size_limit(_LONGEST)
        text = self._parts[0].decode(self.encoding, "replace").lstrip("\ufeff")
        return text.splitlines()

    @cached_property
    def delimiter(self) -> str:
        if self._dialect.delimiter:
            return self._dialect.delimiter
        return max(_DELIMITERS, key=lambda mark: _regularity(self._head[:_LOOK], mark))

    @cached_property
    def _rows(self) -> list[list[str]]:
        """The rows of the head, beginning with that of the names."""
        rows = list(csv.reader(self._head, delimiter=self.delimiter))
        return rows[self._above :]

    @cached_property
    def _above(self) -> int:
        """How many lines stand above the names: titles, notes, blank lines."""
        if self._dialect.skip_rows is not None:
            return self._dialect.skip_rows
        rows = list(csv.reader(self._head[:_LOOK], delimiter=self.delimiter))
        width = Counter(len(row) for row in rows if len(row) > 1).most_common(1)
        usual = width[0][0] if width else 1
        full = (
            n for n, row in enumerate(rows) if len(row) == usual and sum(map(bool, row)) > usual / 2
        )
        return next(full, 0)

    @cached_property
    def names(self) -> list[str]:
        """The columns' names; where two are alike the second becomes `name_2`."""
        first = [name.strip() for name in self._rows[0]] if self._rows else []
        if not any(first):
            raise SourceUnavailable(f"{self._path} has no header.", "Name skip_rows, or mend it.")
        return distinct(first)

    @cached_property
    def layout(self) -> CsvLayout:
        rows = [*self._rows[1:], *self._later()]
        rows = rows[:: max(len(rows) // _JUDGED, 1)]
        values = [[row[n].strip() for row in rows if n < len(row)] for n in range(len(self.names))]
        decimal = self._dialect.decimal or decimal_mark(values, self.delimiter)
        columns = [
            judge_column(name, column, decimal)
            for name, column in zip(self.names, values, strict=True)
        ]
        lines = max(len(self._head), 1)
        size = len(self._parts[0]) / lines
        sampled = dict(zip(self.names, values, strict=True))
        return CsvLayout(self.encoding, self.delimiter, self._above + 1, columns, size, sampled)

    def _later(self) -> Iterator[list[str]]:
        """Yield rows from further down: their first and last lines may be cut, and are left out."""
        for part in self._parts[1:]:
            lines = part.decode(self.encoding, "replace").splitlines()[1:-1]
            rows = csv.reader(lines, delimiter=self.delimiter)
            yield from (row for row in rows if len(row) == len(self.names))


def transcode(path: Path, encoding: str, into: Path) -> Path:
    """Write the file anew in UTF-8; return where."""
    with (
        whole_file(into) as part,
        path.open(encoding=encoding, errors="replace", newline="") as source,
        part.open("w", encoding="utf-8", newline="") as target,
    ):
        while text := source.read(1 << 20):
            target.write(text)
    return into


def distinct(names: Sequence[str]) -> list[str]:
    """Return names of which no two are alike, case ignored, and none is empty.

    "Sales", "sales", "", "sales_2" become Sales, sales_3, column_3, sales_2.
    """
    seen: Counter[str] = Counter()
    taken = {name.lower() for name in names}
    columns = []
    for place, header in enumerate(names, 1):
        name = header or f"column_{place}"
        seen[name.lower()] += 1
        if seen[name.lower()] > 1:
            number = seen[name.lower()]
            while f"{name}_{number}".lower() in taken:
                number += 1
            name = f"{name}_{number}"
            taken.add(name.lower())
        columns.append(name)
    return columns


def _parts(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
        yield head if size <= _SAMPLE else head[: head.rfind(b"\n") + 1] or head
        for offset in (size // 2, size - _SAMPLE):
            if offset > _SAMPLE:
                file.seek(offset - offset % 4)  # a whole character, in UTF-16 too
                yield file.read(_SAMPLE)


def is_utf8(path: Path) -> bool:
    """Tell whether a file is UTF-8 from its first byte to its last."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _telling(parts: Sequence[bytes]) -> bytes:
    """Return the first part, whole lines of it, that has more than ASCII; else the first."""
    whole = (part[part.find(b"\n") + 1 : part.rfind(b"\n") + 1] for part in parts[1:])
    return next((part for part in (parts[0], *whole) if not part.isascii()), parts[0])


def _encoding(data: bytes) -> str:
    """Return the name under which Python reads the bytes as `tasks.text.decoding` does."""
    from charset_normalizer import from_bytes

    text = decoding.decode(data)
    guessed = from_bytes(data[:65_536]).best()
    for name in (*_ENCODINGS, *([guessed.encoding] if guessed else [])):
        if data.decode(name, "replace").lstrip("\ufeff").replace("\0", " ") == text:
            return name
    return "utf-8"


def _regularity(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """Return how many lines have the usual number of fields, and that number."""
    widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
    usual, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1]), default=(1, 0))
    if usual == 1:
        return 0.0, 0
    return count / max(sum(widths.values()), 1), usual


def is_delimited(path: Path) -> bool:
    """Tell by its name whether a file is delimited text."""
    return bool(re.search(r"\.(csv|tsv|txt)(\.gz)?$", path.name.lower()))
