"""The catalogue: deployments.yaml read, checked and made into Prefect's deployments."""

import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from tasks.runs.admission import Terms
from tasks.runs.gate import Gate
from tasks.text.yaml_files import read_yaml
from thirdshift.errors import CatalogueInvalid, NotFound, ThirdShiftError, explained
from thirdshift.records import Record
from thirdshift.settings import settings

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

    from thirdshift.analysis import Analysis

FILE = Path(__file__).with_name("deployments.yaml")
TAG = "third-shift"  # on every deployment of ours; what carries it and is not listed, we remove


class Trigger(Record):
    """A Prefect event that starts a run, and what the run takes from it."""

    event: str
    parameters: dict[str, str] = Field(default_factory=dict)  # templates over `event`


class Deployment(Record):
    """One entry of deployments.yaml; the file's head explains the keys."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    why: str = Field(min_length=1)
    entrypoint: str = Field(pattern=r"^[a-z_][\w.]*\.[a-z_]\w*$")
    schedule: str | None = None
    trigger: Trigger | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    gate: Gate = Gate()
    catch_up: Literal["once", "skip"] = "skip"
    max_lateness: float | None = Field(None, gt=0)  # hours
    retries: int = Field(0, ge=0, le=9)  # of a crashed run; a failed one is the flow's own affair
    heavy: bool = False
    tags: tuple[str, ...] = ()

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str | None) -> str | None:
        from cronsim import CronSim, CronSimError

        try:
            if value is not None:
                CronSim(value, datetime.now())
        except CronSimError as error:
            raise ValueError(f"not five fields of cron ({error})") from error
        return value

    @model_validator(mode="after")
    def _lateness_is_known(self) -> "Deployment":
        if self.catch_up == "once" and not (self.schedule and self.max_lateness):
            raise ValueError("catch_up: once needs a schedule and max_lateness, in hours")
        return self

    @property
    def flow(self) -> str:
        """Prefect's name of the flow: the function's, with dashes."""
        return self.entrypoint.rpartition(".")[2].replace("_", "-")

    @property
    def path(self) -> str:
        """What Prefect calls the deployment: flow/name."""
        return f"{self.flow}/{self.name}"

    @property
    def terms(self) -> Terms:
        """On what terms its runs start."""
        return Terms(name=self.name, gate=self.gate, heavy=self.heavy)

    @property
    def file_entrypoint(self) -> str:
        """The entrypoint in its file form, `/…/flows/ingest.py:ingest`."""
        from importlib.util import find_spec

        module, _, function = self.entrypoint.rpartition(".")
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise NotFound(f"{self.name} names the module {module}, which does not exist.")
        return f"{spec.origin}:{function}"


def catalogue(file: Path = FILE) -> list[Deployment]:
    """Return the deployments listed in `file`.

    Raises CatalogueInvalid naming the file, the entry and the key.
    """
    entries = read_yaml(file, CatalogueInvalid).get("deployments")
    if not isinstance(entries, list):
        raise CatalogueInvalid(
            f"{file} has no list `deployments`.", "The head of the file explains the keys."
        )
    deployments = [_deployment(file, number, entry) for number, entry in enumerate(entries, 1)]
    if file == FILE:
        deployments += analyses_listed()
    _refuse_twins(file, deployments)
    return deployments


def analyses_listed() -> list[Deployment]:
    """Return a deployment for each analysis; one whose file is wrong is logged and left out."""
    from tasks.analysis.definitions import files, read

    listed = []
    for name, file in files().items():
        try:
            listed.append(_deployment(file, 1, _entry(name, read(file))))
        except ThirdShiftError as error:  # one file that is wrong must not stop the others
            logging.getLogger(__name__).error("%s", error)
    return listed


def _entry(name: str, analysis: "Analysis") -> dict[str, Any]:
    entry = {
        "name": f"analyse-{name}",
        "why": analysis.why or analysis.title,
        "entrypoint": "flows.analyse_data.analyse_data",
        "schedule": analysis.schedule,
        "parameters": {"analysis": name},
        "gate": analysis.gate,
        "tags": ["analysis"],
    }
    return entry | ({"catch_up": "once", "max_lateness": 20} if analysis.schedule else {})


def find(name: str, file: Path = FILE) -> Deployment:
    """Return the deployment called `name`, or raise NotFound listing the names there are."""
    listed = {entry.name: entry for entry in catalogue(file)}
    if name not in listed:
        raise NotFound(f"No deployment is called {name}.", f"There are: {', '.join(listed)}.")
    return listed[name]


def _deployment(file: Path, number: int, entry: Any) -> Deployment:
    try:
        return Deployment.model_validate(entry)
    except ValidationError as error:
        name = entry.get("name", f"number {number}") if isinstance(entry, dict) else number
        what = f"{file}, entry {name}: {explained(error)}"
        raise CatalogueInvalid(what, "The head of the file explains the keys.") from None


def _refuse_twins(file: Path, deployments: Iterable[Deployment]) -> None:
    names = [entry.name for entry in deployments]
    for name in names:
        if names.count(name) > 1:
            raise CatalogueInvalid(f"{file}, entry {name}: name: given to more than one entry.")


def prefect_deployment(entry: Deployment) -> "RunnerDeployment":
    """Return `entry` as Prefect registers it, by module entrypoint.

    Raises CatalogueInvalid when the flow cannot be imported.
    """
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Cron

    zone = settings().zone.key
    try:
        return RunnerDeployment.from_entrypoint(
            entrypoint=entry.entrypoint,
            name=entry.name,
            schedules=[Cron(entry.schedule, timezone=zone)] if entry.schedule else None,
            triggers=_triggers(entry),
            parameters=entry.parameters,
            description=entry.why,
            tags=[TAG, *(["heavy"] if entry.heavy else []), *entry.tags],
        )
    except Exception as error:  # a flow's file may raise anything; its entry says so, others run
        what = f"{FILE.name}, entry {entry.name}: entrypoint: {entry.entrypoint}: {error!r}."
        raise CatalogueInvalid(what) from error


def _triggers(entry: Deployment) -> list[Any]:
    from prefect.events import DeploymentEventTrigger

    if entry.trigger is None:
        return []
    trigger = DeploymentEventTrigger(
        name=f"{entry.trigger.event} starts {entry.name}",
        expect={entry.trigger.event},
        parameters=dict(entry.trigger.parameters),
    )
    return [trigger]
