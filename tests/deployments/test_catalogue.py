import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.catalogue import FILE, Deployment, catalogue, find, prefect_deployment
from tasks.runs.gate import Gate
from thirdshift.errors import CatalogueInvalid, NotFound

SOUND = "name: a, why: b, entrypoint: flows.ingest.ingest"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "deployments.yaml"
    file.write_text(text)
    return file


def test_the_three_nightly_deployments_are_listed() -> None:
    times = {entry.name: entry.schedule for entry in catalogue()}

    assert times["ingest"] == "0 2 * * *"
    assert times["maintain-store"] == "30 4 * * *"
    assert times["shift-report"] == "30 6 * * *"


@pytest.mark.parametrize("form", ["entrypoint", "file_entrypoint"])
def test_every_entrypoint_loads_in_both_forms(form: str) -> None:
    entrypoints = sorted({getattr(entry, form) for entry in catalogue()})
    load = "from prefect.flows import load_flow_from_entrypoint as load"
    code = f"{load}; print([load(entrypoint).fn.__name__ for entrypoint in {entrypoints!r}])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = ast.literal_eval(done.stdout.splitlines()[-1])
    assert loaded == [re.split("[.:]", entrypoint)[-1] for entrypoint in entrypoints]


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.name)
def test_file_function_flow_and_deployment_share_one_name(entry: Deployment) -> None:
    if "analysis" in entry.tags:
        assert entry.entrypoint == "flows.analyse_data.analyse_data"
        assert entry.name == f"analyse-{entry.parameters['analysis']}"
        return
    word = entry.name.replace("-", "_")

    assert entry.entrypoint == f"flows.{word}.{word}"


def test_a_deployment_runs_in_the_owners_zone(
    monkeypatch: pytest.MonkeyPatch, prefect: str
) -> None:
    from thirdshift.settings import settings

    monkeypatch.setenv("THIRDSHIFT_TIMEZONE", "Asia/Tokyo")
    settings.cache_clear()

    made = prefect_deployment(find("ingest"))

    assert made.schedules and made.schedules[0].schedule.timezone == "Asia/Tokyo"  # type: ignore[union-attr]
    assert made.entrypoint == "flows.ingest.ingest"


def test_an_event_starts_a_deployment_that_names_it(tmp_path: Path, prefect: str) -> None:
    trigger = "trigger: {event: thirdshift.found, parameters: {paths: '{{ event.payload.paths }}'}}"
    file = written(tmp_path, f"deployments: [{{{SOUND}, {trigger}}}]")

    made = prefect_deployment(find("a", file))

    assert made.triggers[0].expect == {"thirdshift.found"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"deployments: [{{{SOUND}, schedule: '99 * * * *'}}]", "entry a: schedule = .* not five"),
        (f"deployments: [{{{SOUND}, colour: red}}]", "entry a: colour"),
        ("deployments: [{name: a, entrypoint: flows.a.a}]", "entry a: why is missing"),
        ("deployments: [{why: b}]", "entry number 1: name is missing"),
        (f"deployments: [{{{SOUND}, catch_up: once}}]", "catch_up: once needs a schedule"),
        (f"deployments: [{{{SOUND}, gate: {{hours: late}}}}]", "gate.hours = 'late' .* not two"),
        (f"deployments: [{{{SOUND}, gate: {{idle: 5}}}}]", "entry a: gate.idle"),
        (f"deployments: [{{{SOUND}, gate: {{battery_floor: 120}}}}]", "gate.battery_floor = 120"),
        (f"deployments: [{{{SOUND}, trigger: {{evnt: x}}}}]", "entry a: trigger.event is missing"),
        (f"deployments: [{{{SOUND}}}, {{{SOUND}}}]", "entry a: name: given to more than one"),
        ("deployments: 3", "no list `deployments`"),
        ("deployments: [", "not YAML"),
    ],
)
def test_a_mistake_names_file_entry_and_key(tmp_path: Path, text: str, key: str) -> None:
    file = written(tmp_path, text)

    with pytest.raises(CatalogueInvalid, match=key) as caught:
        catalogue(file)

    assert "deployments.yaml" in caught.value.what


def test_a_flow_that_does_not_load_names_its_entry(tmp_path: Path, prefect: str) -> None:
    file = written(tmp_path, "deployments: [{name: a, why: b, entrypoint: flows.none.none}]")

    with pytest.raises(CatalogueInvalid, match="entry a: entrypoint"):
        prefect_deployment(find("a", file))


def test_the_file_explains_every_key_of_a_gate() -> None:
    head = FILE.read_text("utf-8").partition("deployments:\n")[0]

    assert all(f"#     {key} " in head for key in Gate.model_fields)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(NotFound, match="shift-report"):
        find("shift-reprot")
