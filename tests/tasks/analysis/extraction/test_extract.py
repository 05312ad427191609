"""Each kind of source for real: files, folders, loopback APIs and pages, SQLite, Kaggle."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import keyring
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from keyring.backend import KeyringBackend
from openpyxl import Workbook
from pyarrow.csv import write_csv

from tasks.analysis.examination import examine
from tasks.analysis.extraction import apis
from tasks.analysis.extraction.extract import extract
from tasks.tables.cube import Cube
from thirdshift.analysis import Analysis
from thirdshift.errors import SecretMissing, SourceUnavailable
from thirdshift.settings import settings

DAYS = [f"2026-03-{day:02}" for day in range(1, 11)]
ROWS = [{"date": day, "sales": 10 * n + 0.5, "shop": "ab"[n % 2]} for n, day in enumerate(DAYS)]
TOTAL = 455.0


def analysis(source: dict[str, Any], **other: Any) -> Analysis:
    given: dict[str, Any] = {
        "name": "sales",
        "folder": Path("/"),
        "title": "Sales",
        "source": source,
        "time": {"column": "date"},
        "measures": [{"column": "sales"}],
        "dimensions": ["shop"],
    }
    return Analysis.model_validate(given | other)


def read(source: dict[str, Any], **other: Any) -> Cube:
    said = analysis(source, **other)
    return examine(extract(said), said)[0]


def is_whole(cube: Cube) -> bool:
    by_shop = cube.parts["shop"].groupby("shop")["sales"].sum().to_dict()
    return (
        cube.rows == len(ROWS)
        and cube.until == DAYS[-1]
        and float(cube.totals["sales"].sum()) == TOTAL
        and by_shop == {"a": 202.5, "b": 252.5}
    )


def csv_text(rows: list[dict[str, Any]] = ROWS) -> str:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    return "\n".join(lines) + "\n"


def test_csv_parquet_json_lines_and_json(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv_text())
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS))
    (tmp_path / "a.json").write_text(json.dumps({"data": ROWS}))

    for kind in ("csv", "parquet", "jsonl", "json"):
        assert is_whole(read({"kind": kind, "path": str(tmp_path / f"a.{kind}")})), kind


def test_a_sheet_with_a_title_above_its_header(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.create_sheet("売上")
    sheet.append(["Sales of March"])
    sheet.append(list(ROWS[0]))
    for row in ROWS:
        sheet.append(list(row.values()))
    book.save(tmp_path / "a.xlsx")

    cube = read({"kind": "excel", "path": str(tmp_path / "a.xlsx"), "sheet": "売上"})

    assert is_whole(cube)
    with pytest.raises(SourceUnavailable, match=r"no sheet 買上.*It has: Sheet, 売上"):
        read({"kind": "excel", "path": str(tmp_path / "a.xlsx"), "sheet": "買上"})


def test_lines_within_quotes_and_a_field_of_a_megabyte(tmp_path: Path) -> None:
    rows = [dict(row, note=f'"said\n{n}, twice"') for n, row in enumerate(ROWS)]
    rows[3]["note"] = f'"{"long " * 200_000}"'
    (tmp_path / "a.csv").write_text(csv_text(rows))

    assert is_whole(read({"kind": "csv", "path": str(tmp_path / "a.csv")}))


def test_a_folder_whose_files_order_their_columns_differently(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text(csv_text(ROWS[:4]))
    turned = [dict(reversed(row.items())) for row in ROWS[4:]]
    (tmp_path / "2.csv").write_text(csv_text(turned))
    (tmp_path / "notes.txt").write_text("nothing")

    assert is_whole(read({"kind": "folder", "path": str(tmp_path)}))


@pytest.mark.parametrize(
    ("step", "days"),
    [("day", 1), ("week", 7), ("month", 30.44), ("quarter", 91.3), ("year", 365.25)],
)
def test_the_step_of_the_data_is_called_what_it_is(tmp_path: Path, step: str, days: float) -> None:
    moments = [date(2001, 1, 6) + timedelta(days=round(n * days)) for n in range(12)]
    rows = [{"date": moment.isoformat(), "sales": 1, "shop": "a"} for moment in moments]
    (tmp_path / "a.csv").write_text(csv_text(rows))

    cube = read({"kind": "csv", "path": str(tmp_path / "a.csv")})

    assert (cube.frequency, len(cube.totals)) == (step, 12)


@pytest.mark.parametrize(("days", "step"), [(40, "hour"), (400, "day")])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_times_within_days_are_counted_by_hour_where_the_span_is_short(
    tmp_path: Path, kind: str, days: int, step: str
) -> None:
    begin, apart = datetime(2026, 3, 1), timedelta(days=days) / 60_000
    moments = [begin + n * apart for n in range(60_000)]
    table = pa.table({"date": moments, "sales": [1] * 60_000, "shop": ["a"] * 60_000})
    file = tmp_path / f"sales.{kind}"
    write_csv(table, file) if kind == "csv" else pq.write_table(table, file)

    cube = read({"kind": kind, "path": file})

    assert (cube.frequency, len(cube.totals)) == (step, days * (24 if step == "hour" else 1))


@pytest.mark.parametrize("dimensions", [["shop"], []])
def test_a_mean_is_that_of_the_rows_and_not_of_the_members(
    tmp_path: Path, dimensions: list[str]
) -> None:
    rows = [(1, "a"), (2, "a"), (3, "a"), (10, "b"), ("", "b"), ("", "c")]
    text = "".join(f"{DAYS[0]},{sales},{shop}\n" for sales, shop in rows)
    (tmp_path / "a.csv").write_text(f"date,sales,shop\n{text}{DAYS[1]},,a\n")
    measures = [{"column": "sales", "aggregate": "mean"}]

    cube = read(
        {"kind": "csv", "path": tmp_path / "a.csv"}, measures=measures, dimensions=dimensions
    )

    assert cube.totals["sales"].tolist() == pytest.approx([4.0, float("nan")], nan_ok=True)
    if dimensions:
        first = cube.parts["shop"].set_index("shop")["sales"].iloc[:3]
        assert first.to_dict() == pytest.approx({"a": 2, "b": 10, "c": float("nan")}, nan_ok=True)


def test_rows_are_counted_and_a_day_without_any_is_nought(tmp_path: Path) -> None:
    events = [(1, "a"), (1, "b"), (1, "a"), (2, "a"), (5, "b"), (6, "a")]
    text = "".join(f"2026-03-{day:02}T1{day}:30:00,{shop}\n" for day, shop in events)
    (tmp_path / "a.csv").write_text(f"date,shop\n{text}")
    source = {"kind": "csv", "path": tmp_path / "a.csv"}
    counts = {"measures": [{"aggregate": "count", "title": "Orders"}]}

    cube = read(source, **counts)
    some = read(source, **counts, filters=[{"column": "shop", "one_of": ["a"]}])

    assert cube.totals["(rows)"].tolist() == [3, 1, 0, 0, 1, 1]
    assert some.totals["(rows)"].tolist() == [2, 1, 0, 0, 0, 1]
    assert cube.parts["shop"].groupby("shop")["(rows)"].sum().to_dict() == {"a": 4, "b": 2}


def test_rare_events_are_counted_by_the_month(tmp_path: Path) -> None:
    moments = [date(2020, 1, 3) + timedelta(days=36 * n + n * n % 7) for n in range(60)]
    rows = [{"date": moment.isoformat(), "shop": "a"} for moment in moments]
    (tmp_path / "a.csv").write_text(csv_text(rows))

    cube = read({"kind": "csv", "path": tmp_path / "a.csv"}, measures=[{"aggregate": "count"}])

    months = [moment.strftime("%Y-%m") for moment in moments]
    by_month = {str(when)[:7]: n for when, n in cube.totals.itertuples(index=False)}
    assert (cube.frequency, min(by_month), max(by_month)) == ("month", months[0], months[-2])
    assert all(n == months.count(month) for month, n in by_month.items())
    assert 0 in by_month.values()


@pytest.mark.parametrize("kind", ["csv", "careful", "parquet"])
def test_members_without_a_name_are_one_however_they_are_written(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"sales.{'parquet' if kind == 'parquet' else 'csv'}"
    if kind == "parquet":
        shops = [None, "", "a", "b", ""] * 2
        pq.write_table(pa.table({"date": DAYS, "sales": range(10), "shop": shops}), file)
    else:
        shops = ["", '""', "a", "b", ""] * 2
        # A word among the numbers, far from what is looked at first, makes it read as text.
        more = f"{DAYS[0]},0,a\n"
        late = more * 60_000 + f"{DAYS[0]},-,a\n" + more * 90_000 if kind == "careful" else ""
        rows = [f"{DAYS[n]},{n},{shop}\n" for n, shop in enumerate(shops)]
        file.write_text("date,sales,shop\n" + "".join(rows) + late)
    cube = read({"kind": "parquet" if kind == "parquet" else "csv", "path": file})
    part = cube.parts["shop"]
    assert part.groupby("shop")["sales"].sum().to_dict() == {"": 25.0, "a": 9.0, "b": 11.0}
    assert not part.duplicated(["date", "shop"]).any()


def test_a_query_to_a_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE sold (date TEXT, sales REAL, shop TEXT)")
        rows = [tuple(row.values()) for row in ROWS]
        database.executemany("INSERT INTO sold VALUES (?, ?, ?)", rows)
    url = f"sqlite:///{tmp_path / 'shop.db'}"

    assert is_whole(read({"kind": "sql", "url": url, "query": "SELECT * FROM sold"}))
    with pytest.raises(SourceUnavailable, match="no such table: gone"):
        read({"kind": "sql", "url": url, "query": "SELECT * FROM gone"})


def test_a_query_cannot_change_the_database(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE sold (date TEXT)")
        database.execute("INSERT INTO sold VALUES ('2026-03-01')")
    query = "DELETE FROM sold RETURNING date, 1 AS sales, 'a' AS shop"

    extract(analysis({"kind": "sql", "url": f"sqlite:///{file}", "query": query}))

    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM sold").fetchone() == (1,)


class Keys(KeyringBackend):
    """A keychain in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.held = {("thirdshift", "shop-api"): "s3cret"}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


class Api(BaseHTTPRequestHandler):
    """An API in four ways of paging, with a token, ETags, a CSV file and a page with a table."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        at = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(at.query).items()}
        Api.asked.append(self.path)
        if at.path == "/secret" and self.headers.get("Authorization") != "Bearer s3cret":
            return self._say(401, b"{}")
        if at.path == "/file.csv":
            if self.headers.get("If-None-Match") == '"v1"':
                return self._say(304, b"")
            return self._say(200, csv_text().encode(), ETag='"v1"')
        if at.path == "/table":
            cells = "".join(
                "<tr>" + "".join(f"<td>{value}</td>" for value in row.values()) + "</tr>"
                for row in ROWS
            )
            head = "".join(f"<th>{name}</th>" for name in ROWS[0])
            page = f"<table><tr><td>x</td></tr></table><table><tr>{head}</tr>{cells}</table>"
            return self._say(200, page.encode())
        self._page(at.path, query)

    def _page(self, path: str, query: dict[str, str]) -> None:
        start, links = 0, {}
        if path == "/pages":
            start = 4 * (int(query["page"]) - 1)
        elif path in ("/offset", "/cursor"):
            start = int(query.get("offset") or query.get("after") or 0)
        elif path == "/link":
            start = int(query.get("from", 0))
            links = {"Link": f'<{path}?from={start + 4}>; rel="next"'} if start < 8 else {}
        rows = [{"date": r["date"], "v": {"sales": r["sales"]}, "shop": r["shop"]} for r in ROWS]
        some = rows if path == "/secret" else rows[start : start + 4]
        after = start + 4 if start + 4 < len(ROWS) else None
        body = {"data": {"items": some}, "meta": {"next": after}}
        self._say(200, json.dumps(body).encode(), **links)

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api(override: Callable[..., None]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    override(WEB__ALLOWED_HOSTS=json.dumps([f"127.0.0.1:{server.server_port}"]))
    Api.asked.clear()
    before = keyring.get_keyring()
    keyring.set_keyring(Keys())
    yield f"http://127.0.0.1:{server.server_port}"
    keyring.set_keyring(before)
    server.shutdown()
    server.server_close()


NESTED = {"measures": [{"column": "v.sales"}]}
PAGING = {
    "pages": {"kind": "page", "parameter": "page"},
    "offset": {"kind": "offset", "parameter": "offset", "size_parameter": "limit", "size": 4},
    "cursor": {"kind": "cursor", "parameter": "after", "cursor": "meta.next"},
    "link": {"kind": "link"},
}


@pytest.mark.parametrize("way", PAGING)
def test_an_api_is_read_to_its_last_page(way: str, api: str) -> None:
    source = {"kind": "http", "url": f"{api}/{way}", "records": "data.items"}

    cube = read(source | {"paging": PAGING[way]}, **NESTED)

    assert cube.rows == len(ROWS)
    assert float(cube.totals["v.sales"].sum()) == TOTAL


@pytest.mark.parametrize("way", PAGING)
def test_each_page_of_an_api_is_parsed_once(
    way: str, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []

    def loads(body: bytes) -> Any:
        parsed.append(body)
        return json.loads(body)

    monkeypatch.setattr(apis, "json", SimpleNamespace(loads=loads))
    source = {"kind": "http", "url": f"{api}/{way}", "records": "data.items"}

    extract(analysis(source | {"paging": PAGING[way]}, **NESTED))

    pages = [path for path in Api.asked if path.startswith(f"/{way}")]
    assert len(parsed) == len(pages) == (4 if way == "pages" else 3)


def test_an_api_with_more_pages_than_allowed_is_an_error_and_not_half_the_data(api: str) -> None:
    source = {"kind": "http", "url": f"{api}/cursor", "records": "data.items"}

    with pytest.raises(SourceUnavailable, match="more than 2 pages"):
        read(source | {"paging": PAGING["cursor"] | {"most": 2}}, **NESTED)


def test_the_token_comes_from_the_keychain_and_stays_out_of_everything_kept(api: str) -> None:
    auth = {"kind": "bearer", "keychain": "shop-api"}
    source = {"kind": "http", "url": f"{api}/secret", "records": "data.items", "auth": auth}

    assert read(source, **NESTED).rows == len(ROWS)
    kept = [path for path in settings().home.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if b"s3cret" in path.read_bytes()]
    with pytest.raises(SecretMissing, match="keyring set thirdshift other"):
        read(source | {"auth": auth | {"keychain": "other"}}, **NESTED)


def test_a_token_of_the_query_is_in_no_error(api: str) -> None:
    auth = {"kind": "query", "keychain": "shop-api", "name": "key"}
    source = {"kind": "http", "url": f"{api}/secret", "auth": auth}

    with pytest.raises(Exception, match="401") as caught:
        read(source)

    assert "key=s3cret" in Api.asked[-1]
    assert "s3cret" not in str(caught.value)


def test_a_file_of_the_web_that_has_not_changed_is_not_sent_again(api: str) -> None:
    source = {"kind": "http", "format": "csv", "url": f"{api}/file.csv"}
    said = analysis(source)

    first = extract(said)
    second = extract(said, first.fingerprint)

    assert is_whole(examine(first, said)[0])
    assert second.unchanged
    assert second.files == first.files
    other = analysis(source, title="Another title")
    assert not extract(other, first.fingerprint).unchanged  # another question to the same data


def test_old_snapshots_go_and_the_newest_stays_even_where_the_clock_went_back(
    tmp_path: Path, override: Callable[..., None]
) -> None:
    override(ANALYST__KEEP_SNAPSHOTS="3")
    said = analysis({"kind": "json", "path": str(tmp_path / "a.json")})
    folder = said.data_folder
    folder.mkdir(parents=True)
    for name in ("20010101T000000-a.csv", "29990101T000000-b.csv", "29990102T000000-c.csv"):
        (folder / name).write_text("old")
    (tmp_path / "a.json").write_text(json.dumps(ROWS))

    made = extract(said).files[0]

    assert is_whole(examine(extract(said), said)[0])
    assert {file.name for file in folder.glob("*.csv")} == {
        "29990101T000000-b.csv", "29990102T000000-c.csv", made.name,
    }  # fmt: skip


def test_a_table_of_a_page(api: str) -> None:
    assert is_whole(read({"kind": "html", "url": f"{api}/table", "table": 1}))
    with pytest.raises(SourceUnavailable, match="has 2 tables, not 3"):
        read({"kind": "html", "url": f"{api}/table", "table": 2})


def test_a_host_of_the_own_network_that_nobody_allowed_is_refused(
    api: str, override: Callable[..., None]
) -> None:
    override(WEB__ALLOWED_HOSTS="[]")

    with pytest.raises(Exception, match="allowed_hosts"):
        read({"kind": "http", "url": f"{api}/pages"})


def test_kaggle_without_a_login_says_how_to_log_in_and_ends_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))

    with pytest.raises(SourceUnavailable, match="kaggle auth login"):
        read({"kind": "kaggle", "dataset": "someone/sales", "file": "sales.csv"})

    assert capfd.readouterr().out == ""


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"no file .*gone\.csv"):
        read({"kind": "csv", "path": str(tmp_path / "gone.csv")})
