"""`thirdshift analyses`, as the README says it; a wrong file is named and stops no other."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.catalogue import catalogue
from deployments.cli.app import app
from tasks.analysis.definitions import SHIPPED, read
from thirdshift.errors import AnalysisInvalid
from thirdshift.paths import DATASETS
from thirdshift.settings import settings

SAMPLES = DATASETS / "samples"
SOUND = """title: A
source: {kind: csv, path: a.csv}
time: {column: date}
measures: [{column: sales}]
"""


def said(*words: str, fails: bool = False) -> str:
    done = CliRunner().invoke(app, ["analyses", *words])
    assert (done.exit_code != 0) == fails, done.output
    return done.output


def test_a_draft_of_data_is_a_sound_analysis_whose_data_pass(home: Path) -> None:
    said("add", str(SAMPLES / "shop-sales.csv"), "--name", "mine")

    drafted = read(settings().analyses_path / "mine.yaml")
    assert drafted.time.column == "date"
    assert [one.column for one in drafted.measures] == ["revenue", "items"]
    assert drafted.dimensions == ["shop", "category"]
    assert "mine" in said("list")
    assert "analyse-mine" in [entry.name for entry in catalogue()]


def test_data_that_only_know_years_are_drafted_and_pass(home: Path, tmp_path: Path) -> None:
    rows = "".join(f"{year},{year % 7 + 1}\n" for year in range(1990, 2020))
    (tmp_path / "harvest.csv").write_text(f"Year,tonnes\n{rows}")

    said("add", str(tmp_path / "harvest.csv"))

    drafted = read(settings().analyses_path / "harvest.yaml")
    assert (drafted.time.column, [one.column for one in drafted.measures]) == ("Year", ["tonnes"])
    assert "30 rows" in said("check", "harvest")


def test_a_list_of_events_is_drafted_as_a_count_and_run_to_its_page(
    home: Path, tmp_path: Path
) -> None:
    days = [f"2026-0{1 + n // 28}-{1 + n % 28:02}" for n in range(84)]
    rows = [f"{day},{'tea' if n % 3 else 'cake'}" for n, day in enumerate(days * 3)]
    (tmp_path / "orders.csv").write_text("\n".join(["placed,item", *rows, *rows[80:84] * 9]))

    said("add", str(tmp_path / "orders.csv"))

    drafted = read(settings().analyses_path / "orders.yaml")
    assert [(one.name, one.aggregate) for one in drafted.measures] == [("Rows", "count")]
    assert "288 rows" in said("check", "orders")


def test_an_analysis_that_is_wrong_is_not_taken_in(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(SOUND + "colour: red\n")

    with pytest.raises(AnalysisInvalid, match="colour = 'red'"):
        CliRunner().invoke(
            app, ["analyses", "add", str(tmp_path / "bad.yaml")], catch_exceptions=False
        )

    assert not list(settings().analyses_path.glob("*"))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("kind: csv", "kind: cvs"), "source"),
        (("measures: [{column: sales}]", "measures: []"), "measures = "),
        (("column: sales", "column: date"), "columns named more than once: date"),
        (("column: sales", "column: sales, aggregate: median"), "measures.0.aggregate = 'median'"),
        (("column: sales", "column: sales, aggregate: count"), "count is of rows"),
        (("title: A", "title: [A"), "is not YAML"),
    ],
)
def test_a_mistake_names_file_key_and_value(
    tmp_path: Path, change: tuple[str, str], key: str
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(SOUND.replace(*change))

    with pytest.raises(AnalysisInvalid) as caught:
        read(file)

    assert key in caught.value.what
    assert str(file) in caught.value.what


def test_one_wrong_file_stops_no_other_deployment(home: Path) -> None:
    settings().analyses_path.mkdir(parents=True)
    (settings().analyses_path / "broken.yaml").write_text("title: 3")

    names = [entry.name for entry in catalogue()]

    assert "analyse-shop-sales" in names
    assert "analyse-broken" not in names


def test_the_sample_explains_every_key() -> None:
    from thirdshift.analysis import Analysis

    text = (SHIPPED / "shop-sales.yaml").read_text()

    for key in set(Analysis.model_fields) - {"name", "folder"}:
        assert f"\n{key}:" in text, key
