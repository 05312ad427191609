"""The command, used as the README says."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deployments.cli.app import app
from tasks.models.protocol import ModelRuntime
from thirdshift.settings import settings

COMMANDS: Any = typer.main.get_command(app)
COMMAND = [sys.executable, "-c", "from deployments.cli.app import main; main()"]


def _invoke(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def _json(*words: str, code: int = 0) -> Any:
    return json.loads(_invoke(*words, "--json", code=code))


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "log.txt").write_text("The roaster was serviced in March, by Mr Okabe.")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7")
    return folder


def test_setup_writes_the_settings_once(home: Path) -> None:
    _invoke("setup")
    settings().file.write_text("min_free_gb = 1\n")
    _invoke("setup")

    assert settings().file.read_text() == "min_free_gb = 1\n"


def test_ingest_search_and_ask_speak_the_contract(papers: Path, engine: ModelRuntime) -> None:
    readings = _json("ingest", str(papers))
    assert {Path(r["path"]).name: r["result"] for r in readings} == {
        "log.txt": "added",
        "bad.pdf": "rejected",
    }

    (hit,) = _json("search", "When was the roaster serviced?", "-k", "1")
    keys = {"chunk_id", "document", "title", "text", "score", "span", "provenance"}
    assert set(hit) == keys
    assert hit["document"] == str((papers / "log.txt").resolve())
    assert hit["text"] == (papers / "log.txt").read_text()[slice(*hit["span"])]

    answer = _json("ask", "When was the roaster serviced?")
    assert set(answer) == {"answer", "sources", "tier", "timings_ms", "id"}
    assert answer["sources"] == [hit]
    assert "March" in answer["answer"]


def test_what_is_left_out_has_its_line(papers: Path) -> None:
    result = CliRunner().invoke(app, ["ingest", str(papers)])

    assert "1 added" in result.stdout
    assert "bad.pdf" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["run", "no-such-thing"],
            "There are: ingest, refine-memory, train-lora, train-dpo, maintain-store",
        ),
        (["run", "ingest"], "thirdshift up"),
        (["bench", "nothing"], "retrieval"),
        (["run", "ingest", "-p", "paths"], "not name=value"),
        (["search"], "Missing argument"),
    ],
)
def test_a_mistake_ends_in_a_message_and_not_in_a_traceback(
    home: Path, words: list[str], said: str
) -> None:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True)

    assert done.returncode != 0
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_a_message_too(home: Path) -> None:
    home.mkdir()
    (home / "settings.toml").write_text("[ports]\nprefect = 80\n")

    done = subprocess.run([*COMMAND, "search", "x"], capture_output=True, text=True)

    assert done.returncode == 1
    assert "ports.prefect = 80" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_shows_memory_and_processes(papers: Path) -> None:
    _invoke("ingest", str(papers))

    figures = _json("status")

    assert figures["memory"]["documents"] == 1
    assert figures["processes"] == []


def test_doctor_examines_every_part_and_names_remedies(
    engine: ModelRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _invoke("setup")
    findings = {item["part"]: item for item in _json("doctor")}

    parts = "settings permissions disk runtime models store ports prefect sensors keychain browser"
    assert set(findings) == {*parts.split(), "embedding model", "training"}
    assert findings["prefect"]["remedy"] == "thirdshift up"
    assert findings["store"]["state"] == "ok"

    monkeypatch.setenv("THIRDSHIFT_MIN_FREE_GB", "1000000")
    settings.cache_clear()
    broken = {item["part"]: item for item in _json("doctor", code=1)}
    assert broken["disk"]["state"] == "wrong"
    assert broken["disk"]["remedy"]


def test_sensors_tell_a_source_or_a_reason() -> None:
    senses = _json("sensors")

    assert {"idle", "power", "battery", "thermal", "load", "memory", "energy"} <= set(senses)
    assert all(bool(one["source"]) != bool(one["why"]) for one in senses.values())
    assert "load average" in _invoke("sensors")


def test_gate_explains_a_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    from deployments.catalogue import Deployment
    from deployments.status import gates
    from tasks.runs.gate import Gate

    gate = Gate(load_ceiling=1e-9, memory_floor=1e-9)
    entry = Deployment(name="a", why="-", entrypoint="flows.a.a", gate=gate, heavy=True)
    monkeypatch.setattr(gates, "find", lambda _: entry)

    found = _json("gate", "a")

    held = {one["sensor"]: one["held"] for one in found["decision"]["conditions"]}
    assert held == {"load": False, "memory": True, "heavy slot": True}
    assert found["decision"]["next_try"]
    assert "a may not start. Next try" in _invoke("gate", "a")


def test_reindex_makes_every_vector_anew(papers: Path) -> None:
    _invoke("ingest", str(papers))

    assert "1 chunks have new vectors" in _invoke("reindex")


def test_the_readme_lists_the_commands_of_help_and_no_others() -> None:
    readme = Path("README.md").read_text(encoding="utf-8")
    block = readme.partition("**The command.**")[2].split("```")[1]
    listed = [line.partition("  #")[0] for line in block.splitlines() if "thirdshift" in line]

    assert {shlex.split(line)[1] for line in listed} == set(COMMANDS.commands)
    for line in listed:
        assert not_taken(line) == []


def commands(group: Any = COMMANDS) -> Iterator[Any]:
    """Yield all commands and groups below a group."""
    for command in group.commands.values():
        yield command
        if hasattr(command, "commands"):
            yield from commands(command)


def not_taken(line: str) -> list[str]:
    """Return the words of a line that the command it names does not take; raises UsageError."""
    program, *words = shlex.split(line)
    assert program == "thirdshift"
    command = COMMANDS
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, line
        command = command.commands[name]
    return list(command.make_context(name, words).args)


def test_every_group_has_an_example_to_paste() -> None:
    groups = [command for command in commands() if hasattr(command, "commands")]

    assert len(groups) == 7
    assert all("Example: thirdshift " in group.help for group in groups)


@pytest.mark.parametrize(
    "line",
    [
        line.partition("Example: ")[2]
        for command in commands()
        for line in (command.help or "").splitlines()
        if "Example: " in line
    ],
)
def test_an_example_is_a_line_that_the_command_takes(line: str) -> None:
    assert not_taken(line) == []


def test_the_version_is_that_of_the_package() -> None:
    assert _invoke("--version") == f"thirdshift {version('thirdshift')}\n"
