"""The analyst through a real Prefect server: report, nothing to do, quarantine, memory."""

import csv
import re
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State

from agents.answer import ask
from flows.analyse_data import analyse_data
from tasks.analysis.archive import last_report
from tasks.memory.store import store
from thirdshift.outcome import Outcome
from thirdshift.paths import DATASETS
from thirdshift.settings import settings

pytestmark = pytest.mark.slow

SAMPLES = DATASETS / "samples"
SHOP = """
title: Sales
source: {{kind: csv, path: {path}}}
time: {{column: date}}
measures: [{{column: revenue, title: Sales, unit: JPY}}]
dimensions: [shop, category]
expectations: [{{expect: column_values_to_be_between, column: revenue, min_value: 0}}]
questions: ["Why did sales fall last week?"]
"""


async def _run(analysis: str) -> State[Outcome]:
    state = await analyse_data(analysis, return_state=True)  # type: ignore[call-overload]
    assert isinstance(state, State)
    return state


async def _produced(state: State[Outcome]) -> Path:
    outcome = await state.aresult(raise_on_failure=False)
    assert isinstance(outcome, Outcome)
    return Path(outcome.produced[0])


@pytest.fixture
def sales(home: Path, tmp_path: Path) -> Path:
    """The last 200 days of the shop, small enough to be quick, and an analysis of them."""
    lines = (SAMPLES / "shop-sales.csv").read_text().splitlines()
    file = tmp_path / "sales.csv"
    file.write_text("\n".join([lines[0], *lines[-2000:]]) + "\n")
    settings().analyses_path.mkdir(parents=True)
    (settings().analyses_path / "sales.yaml").write_text(SHOP.format(path=file))
    return file


async def test_a_night_with_data_is_a_report_a_row_a_memory_and_an_artifact(
    prefect: str, sales: Path
) -> None:
    state = await _run("sales")

    assert state.name == "Done", state.message
    page = await _produced(state)
    html = page.read_text()
    assert html.count("data:image/svg+xml;base64,") >= 2
    assert not re.search(r"""(src|href)=["']?(?!data:)(https?:)?//""", html)
    assert page.with_name("report.md").exists()
    assert store().count("analyses") == 1
    async with get_client() as client:
        artifacts = await client.read_artifacts()
    assert any(artifact.key == "analysis-sales" for artifact in artifacts)

    answer = ask("Why did sales fall last week?")
    assert answer.sources[0].document == str(page.parents[1] / "report.html")
    assert Path(answer.sources[0].document).read_text() == html
    assert answer.sources[0].provenance == "derived"
    assert "Teramachi" in answer.answer
    assert "fell" in answer.answer


async def test_hostile_names_and_values_are_words_in_a_japanese_report(
    prefect: str, home: Path, tmp_path: Path
) -> None:
    lines = (SAMPLES / "shop-sales.csv").read_text().splitlines()[-2000:]
    rows = [line.split(",") for line in lines]
    amount, shop = '売上 "純"; DROP TABLE t --', "店舗<script>alert(1)</script>|`${x}`"
    with (tmp_path / "売上.csv").open("w", newline="", encoding="cp932") as file:
        writer = csv.writer(file)
        writer.writerow(["日付", amount, shop])
        writer.writerows(
            [row[0].replace("-", "/"), row[-1], f"=cmd()|{row[1]}' OR 1=1"] for row in rows
        )
    settings().analyses_path.mkdir(parents=True)
    said = {
        "title": "売上 <img src=x onerror=alert(1)>",
        "source": {"kind": "csv", "path": str(tmp_path / "売上.csv")},
        "time": {"column": "日付"},
        "measures": [{"column": amount, "title": "売上", "unit": "円"}],
        "dimensions": [shop],
        "language": "ja",
    }
    file_of = settings().analyses_path / "uriage.yaml"
    file_of.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")

    state = await _run("uriage")

    assert state.name == "Done", state.message
    page = await _produced(state)
    html = page.read_text("utf-8")
    assert '<html lang="ja">' in html
    assert "店舗&lt;script&gt;" in html
    assert not re.search("<script|<img src=x", html)
    assert re.search(r"売上は.*\d{4}-\d{2}-\d{2}", page.with_name("report.md").read_text("utf-8"))


async def test_unchanged_data_are_nothing_to_do_and_changed_ones_say_what_is_new(
    prefect: str, sales: Path
) -> None:
    first = await _produced(await _run("sales"))
    again = await _run("sales")
    lines = sales.read_text().splitlines()
    quiet = [f"{line.rsplit(',', 2)[0]},1,1" if "2026-09-09" in line else line for line in lines]
    sales.write_text("\n".join(quiet) + "\n")
    changed = await _run("sales")

    assert again.name == "NothingToDo"
    assert first.exists()
    said = (await _produced(changed)).with_name("report.md").read_text()
    assert "- New: Sales was unusually low on 2026-09-09" in said
    assert store().count("documents", "status = 'active'") == 1  # the newer took its place


async def test_invalid_data_are_put_aside_and_yesterdays_report_stands(
    prefect: str, sales: Path
) -> None:
    good = await _produced(await _run("sales"))
    before = good.read_bytes()
    lines = sales.read_text().splitlines()
    lines[3] = re.sub(r",\d+,(\d+)$", r",-5,\1", lines[3])
    sales.write_text("\n".join(lines) + "\n")

    state = await _run("sales")

    assert state.is_failed()
    assert "revenue" in str(state.message) and "rows 3" in str(state.message)
    kept = list((settings().analyses_path / "data" / "sales" / "quarantine").rglob("failures.json"))
    assert len(kept) == 1 and '"-5.0"' in kept[0].read_text()
    assert (kept[0].parent / sales.name).read_bytes() == sales.read_bytes()
    last = last_report("sales")
    assert last is not None and last.report == str(good)
    assert good.read_bytes() == before
