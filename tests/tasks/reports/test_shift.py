"""The shift report: honest, whole, self-contained."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from tasks.reports import verdict
from tasks.reports.rendering import page
from tasks.reports.shift import latest, write
from tasks.reports.shift_text import markdown
from thirdshift.evaluation import (
    AnsweredTwice,
    Criterion,
    Interval,
    Verdict,
)
from thirdshift.outcome import MemoryFigures, Outcome, OutcomeStatus, Ran, Shift
from thirdshift.settings import settings

START = datetime(2026, 3, 1, 2, tzinfo=UTC)


def _ran(flow: str, status: OutcomeStatus = "done", reason: str = "All well.") -> Ran:
    outcome = Outcome(status=status, reason=reason, produced=[f"{flow}.txt"])
    return Ran(id=flow, flow=flow, run_name=flow, started_at=START, seconds=75, outcome=outcome)


def _shift(*runs: Ran, lost: list[str] | None = None) -> Shift:
    return Shift(
        since=START,
        until=START + timedelta(hours=5),
        runs=list(runs),
        lost=lost or [],
        memory=MemoryFigures(documents={"pdf": 3, "メール": 2}, chunks=40, megabytes=1.5),
    )


def test_the_page_asks_nothing_of_anyone() -> None:
    path = write(_shift(_ran("ingest"), _ran("train_lora", "deferred", "On battery.")))

    html = path.read_text()
    assert not re.search(r"""(src|href)=["']?(?!data:)(https?:)?//""", html)
    assert html.count("data:image/svg+xml;base64,") == 2
    assert (path.parent / "timeline.svg").read_text().startswith("<svg")


def test_what_was_skipped_deferred_failed_or_lost_is_said_with_its_reason() -> None:
    shift = _shift(
        _ran("train_lora", "deferred", "On battery."),
        _ran("write_draft", "failed", "No source answered."),
        lost=["ingest crashed: exit -9"],
    )

    said = markdown(shift, {})

    assert "train_lora, deferred: On battery." in said
    assert "**write_draft failed**: No source answered." in said
    assert "ingest crashed: exit -9" in said


def test_what_was_learnt_is_shown_by_the_same_prompts_before_and_after(home: Path) -> None:
    change = Interval(mean=0.9, low=0.5, high=1.3, n=8)
    gain = Criterion(
        name="likelihood of accepted answers",
        unit="nats per token",
        base=-2.0,
        candidate=-1.1,
        change=change,
        wanted="a gain",
        held=True,
    )
    answers = [
        AnsweredTwice(prompt="When is tea?", base="Never.", candidate="At four.", wanted="Four.")
    ]
    found = Verdict(candidate="sentinel-lora:v1", method="lora", criteria=[gain], answers=answers)
    produced = [str(verdict.write(found, home / "evaluations" / "v1"))]
    ran = _ran("train_lora")
    ran = ran.model_copy(update={"outcome": ran.outcome.model_copy(update={"produced": produced})})

    said = markdown(_shift(ran), {})

    assert "**sentinel-lora:v1** is better and is served." in said
    assert "| When is tea? | Never. | At four. | Four. |" in said
    assert "What was learnt" not in markdown(_shift(_ran("ingest")), {})


def test_energy_that_was_not_metered_is_not_invented() -> None:
    assert "| not metered |" in markdown(_shift(_ran("ingest")), {})
    metered = _ran("ingest").model_copy(update={"joules": 1234.0})
    assert "| 1,234 J |" in markdown(_shift(metered), {})


def test_metered_energy_has_a_chart_a_total_and_its_budget(
    override: Callable[..., None],
) -> None:
    override(ENERGY__NIGHT_KJ=2)
    metered = _ran("ingest").model_copy(update={"joules": 2500.0})
    path = write(_shift(metered, _ran("train_lora")))

    said = (path.parent / "report.md").read_text()
    assert "2.5 kJ, of the whole machine" in said
    assert "budget of a night is 2 kJ. **That is above it.**" in said
    assert "ingest 02:00:00" in (path.parent / "energy.svg").read_text()
    assert "## Energy" not in markdown(_shift(_ran("ingest")), {})


def test_a_run_that_waited_all_night_is_one_line() -> None:
    tries = [
        _ran("train_lora", "deferred", "On battery.").model_copy(update={"id": f"a@{number}"})
        for number in range(3)
    ]
    done = _ran("train_lora", "done", "Trained.").model_copy(update={"id": "a"})

    waiting, ended = markdown(_shift(*tries), {}), markdown(_shift(*tries, done), {})

    assert waiting.count("On battery.") == 2  # in what ran, and in what was not done
    assert "Trained. (try 4)" in ended
    assert "On battery." not in ended


def test_an_empty_shift_says_that_nothing_ran() -> None:
    assert "Nothing ran." in markdown(_shift(), {})


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a|b", "[x](javascript:alert(1))"])
def test_the_name_of_a_file_cannot_become_markup(name: str) -> None:
    html = page(markdown(_shift(_ran("ingest", reason=name)), {}), "Report")

    assert "<script" not in html
    assert "href" not in html
    assert html.count("<tr>") == 2


def test_times_are_the_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THIRDSHIFT_TIMEZONE", "Asia/Tokyo")
    settings.cache_clear()

    assert "| 11:00:00 | ingest |" in markdown(_shift(_ran("ingest")), {})


def test_a_page_of_ours_is_linked_and_the_link_works_from_the_report(home: Path) -> None:
    made = home / "reports" / "analyses" / "a b" / "report.html"
    made.parent.mkdir(parents=True)
    made.touch()
    ran = _ran("analyse_data")
    outcome = ran.outcome.model_copy(update={"produced": [str(made)]})

    path = write(_shift(ran.model_copy(update={"outcome": outcome})))

    address = re.search(r'href="([^"]+)"', path.read_text())
    assert address and (path.parent / unquote(address[1])).resolve() == made.resolve()


def test_the_newest_report_is_always_at_the_same_place() -> None:
    write(_shift(_ran("ingest")))
    later = _shift(_ran("maintain_store"))
    path = write(later.model_copy(update={"until": later.until + timedelta(days=1)}))

    assert latest().samefile(path)


def test_an_hourly_look_that_found_nothing_is_one_line() -> None:
    looks = [_ran("monitor_sources", "nothing_to_do", "Nothing new.") for _ in range(24)]
    looks = [one.model_copy(update={"id": f"look {n}"}) for n, one in enumerate(looks)]

    said = markdown(_shift(*looks, _ran("ingest")), {})

    assert said.count("| monitor sources |") == 1
    assert "Nothing new. (24 times)" in said
