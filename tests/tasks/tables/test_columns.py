"""CSV as people write it: encodings, separators, decimal commas, dates, headers."""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.csv import write_csv

from tasks.analysis.examination import examine
from tasks.analysis.extraction.extract import extract
from tasks.analysis.quarantine import Quarantined
from tasks.tables import loading
from tasks.tables.cube import Cube
from thirdshift.analysis import Analysis, Time
from thirdshift.errors import DataInvalid
from thirdshift.settings import settings


def read(
    path: Path, text: str, measure: str = "sales", time: str = "date", encoding: str = "utf-8",
    **source: Any,
) -> Cube:  # fmt: skip
    path.write_bytes(text.encode(encoding))
    table = said(path, measure, time, **source)
    return examine(extract(table), table)[0]


def said(path: Path, measure: str, time: str, **source: Any) -> Analysis:
    given = {
        "name": "a",
        "folder": path.parent,
        "title": "A",
        "source": {"kind": "csv", "path": path.name, **source},
        "time": {"column": time, "frequency": "day"},
        "measures": [{"column": measure}],
    }
    return Analysis.model_validate(given)


@pytest.fixture
def file(home: Path, tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("date;sales\n2026-03-01;1.234,5\n2026-03-02;0,25\n", 1234.75),
        ("date;sales\n2026-03-01;1,5\n2026-03-02;\n", 1.5),
        ("date\tsales\n2026-03-01\t1 234.5\n2026-03-02\t−10\n", 1224.5),
        ('date,sales\n2026-03-01,"1,234"\n2026-03-02,"12,345.5"\n', 13579.5),
        ("date,sales\n2026-03-01,$12.50\n2026-03-02,(2.50)\n", 10.0),
        ("date,sales\n2026-03-01,￥1200円\n2026-03-02,▲200円\n", 1000.0),
        ("date,sales\n2026-03-01,１２\n2026-03-02,３．５\n", 15.5),
        ("date,sales\n2026-03-01,12\n2026-03-02,n/a\n2026-03-03,-\n2026-03-04,NaN\n", 12.0),
        ("date|sales\n2026-03-01|1'234\n2026-03-02|1\n", 1235.0),
        ("Sales of March\n\nmade by hand\ndate,sales\n2026-03-01,7\n2026-03-02,3\n", 10.0),
        ("\ufeffdate,sales\r\n2026-03-01,7\r\n2026-03-02,3\r\n", 10.0),
    ],
)
def test_numbers_are_read_as_they_are_written(file: Path, text: str, total: float) -> None:
    cube = read(file, text)

    assert float(cube.totals["sales"].sum()) == pytest.approx(total)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("01/03/2026", "25/03/2026", "2026-03-25"),
        ("03/01/2026", "03/25/2026", "2026-03-25"),
        ("1.3.2026", "25.3.2026", "2026-03-25"),
        ("2026年3月1日", "2026年3月25日", "2026-03-25"),
        ("2026/3/1", "2026/3/25", "2026-03-25"),
        ("20260301", "20260325", "2026-03-25"),
        ("1 Mar 2026", "25 Mar 2026", "2026-03-25"),
        ("2026-03-01T10:00:00", "2026-03-25T11:30:00", "2026-03-25"),
        ("2026-03", "2026-04", "2026-04-01"),
        ("03/2026", "04/2026", "2026-04-01"),
        ("Mar 1 2026", "Mar 25 2026", "2026-03-25"),
        ("3/1/2026 1:05:09 PM", "3/25/2026 9:00:00 AM", "2026-03-25"),
        ('"Sun, 01 Mar 2026 10:00:00"', '"Wed, 25 Mar 2026 10:00:00"', "2026-03-25"),
        ("Mar-26", "Apr-26", "2026-04-01"),
        ("2025", "2026", "2026-01-01"),
        ("2025年度", "2026年度", "2026-01-01"),
        ("202603", "202604", "2026-04-01"),
        ("2026Q1", "2026-Q2", "2026-04-01"),
        ("Q1 2026", "Q2 2026", "2026-04-01"),
        ("2026-W10", "2026W11", "2026-03-09"),
        ("1772323200", "1774396800", "2026-03-25"),
        ("1772323200000", "1774396800000", "2026-03-25"),
        ("令和8年3月1日", "令和8年3月25日", "2026-03-25"),
        ("平成31年4月", "令和元年5月", "2019-05-01"),
    ],
)
def test_dates_are_read_as_they_are_written(
    file: Path, first: str, second: str, expected: str
) -> None:
    cube = read(file, f"date,sales\n{first},1\n{second},2\n")

    assert cube.until == expected
    assert len(cube.totals) == 2


def test_times_that_nobody_can_read_are_named_with_the_remedy(file: Path) -> None:
    with pytest.raises(DataInvalid, match=r"soon, later\. .*`format`"):
        read(file, "date,sales\nsoon,1\nlater,2\n")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_year_is_a_number_but_where_it_says_when(file: Path, kind: str) -> None:
    rows = [{"year": 2000 + n, "sales": 1990 + n} for n in range(12)]
    table = pa.Table.from_pylist(rows)
    write_csv(table, file) if kind == "csv" else pq.write_table(table, file)
    analysis = said(file, "sales", "year", kind=kind).model_copy(
        update={"time": Time(column="year")}
    )

    cube, _ = examine(extract(analysis), analysis)

    assert (cube.frequency, cube.until) == ("year", "2011-01-01")
    assert cube.totals["sales"].tolist() == [1990.0 + n for n in range(12)]


def test_a_first_value_that_is_no_date_does_not_hide_the_others(file: Path) -> None:
    rows = "".join(f"{day}.3.2026,1\n" for day in range(1, 32))
    with pytest.raises(Quarantined, match=r"1 of 32 values cannot \(rows 1\)"):
        read(file, f"date,sales\nsoon,1\n{rows}")


def test_a_date_that_can_be_read_in_two_ways_is_said_to_be(file: Path) -> None:
    cube = read(file, "date,sales\n03/04/2026,1\n05/06/2026,2\n")

    assert any("other way round" in note for note in cube.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp", "utf-16", "utf-8-sig"])
def test_japanese_headers_in_each_encoding(file: Path, encoding: str) -> None:
    text = "日付,店舗,売上\n2026年3月1日,寺町店,1200\n2026年3月2日,北山店,800\n" * 1

    cube = read(file, text, "売上", "日付", encoding)

    assert float(cube.totals["売上"].sum()) == 2000


def test_a_copy_in_utf_8_is_kept_while_it_is_used(file: Path) -> None:
    folder = settings().run_path / "utf-8"
    for sales in ("1", "2"):  # the file changes: another copy
        file.write_bytes(f"date,売上\n2026-01-01,{sales}\n2026-01-02,3\n".encode("cp932"))
        again = said(file, "売上", "date")
        examine(extract(again), again)
        for copy in folder.iterdir():
            os.utime(copy, (0, 0))
    assert len(list(folder.iterdir())) == 2

    examine(extract(again), again)  # of the same file

    assert loading.sweep() > 0
    (kept,) = folder.iterdir()
    assert "2026-01-01,2" in kept.read_text()


def test_an_encoding_that_only_the_middle_tells(file: Path) -> None:
    plain, shop = "2026-03-01,tea,1\n" * 20_000, "2026-03-01,京都,1\n" * 20_000
    file.write_bytes(("date,shop,sales\n" + plain + shop + plain).encode("cp932"))
    analysis = said(file, "sales", "date").model_copy(update={"dimensions": ["shop"]})

    cube, _ = examine(extract(analysis), analysis)

    assert set(cube.parts["shop"]["shop"]) == {"tea", "京都"}


def test_a_byte_that_means_nothing_costs_no_row(file: Path) -> None:
    rows = b"2026-03-01,1,fine\n" * 3
    file.write_bytes(b"date,sales,note\n" + rows + b"2026-03-02,7,caf\xe9 \xe2\x82\n" + rows)
    analysis = said(file, "sales", "date")

    cube, _ = examine(extract(analysis), analysis)

    assert cube.totals["sales"].tolist() == [6.0, 7.0]


def test_headers_twice_empty_or_strange_stay_apart(file: Path) -> None:
    text = 'date,sales,sales,,"a ""b"" | c"\n2026-03-01,1,2,3,4\n2026-03-02,1,2,3,4\n'

    assert float(read(file, text, "sales_2").totals["sales_2"].sum()) == 4
    assert float(read(file, text, "column_4").totals["column_4"].sum()) == 6
    assert float(read(file, text, 'a "b" | c').totals['a "b" | c'].sum()) == 8


def test_a_word_among_many_numbers_is_missing_and_too_many_are_refused(file: Path) -> None:
    rows = [f"2026-03-{day:02},{day}" for day in range(1, 31)]
    long = "\n".join(["date,sales", *rows * 400, "2026-03-31,closed", ""])

    assert float(read(file, long).totals["sales"].sum()) == 400 * 465
    with pytest.raises(DataInvalid, match=r"sales value is readable.*cannot.*rows 31") as caught:
        read(file, "\n".join(["date,sales", *rows, "2026-03-31,closed", ""]))
    assert "closed" in str(caught.value.failures)  # type: ignore[attr-defined]


def test_a_column_that_is_not_there_names_the_nearest(file: Path) -> None:
    with pytest.raises(DataInvalid, match="Did you mean sales"):
        read(file, "date,sales\n2026-03-01,1\n", "sale")
