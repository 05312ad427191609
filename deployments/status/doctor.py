"""Diagnosis: the state of each part, and the one command that mends what is wrong."""

import os
import shutil
from collections.abc import Callable
from typing import Literal

from thirdshift.errors import BrowserMissing, ThirdShiftError
from thirdshift.records import Record
from thirdshift.settings import settings


class Diagnosis(Record):
    """What the examination of a part showed."""

    part: str
    state: Literal["ok", "warning", "wrong"]
    finding: str
    remedy: str = ""


Check = Callable[[], Diagnosis]


def examine() -> list[Diagnosis]:
    """Return a finding for each part, whatever is broken."""
    checks: dict[str, Check] = {
        "settings": _settings,
        "permissions": _permissions,
        "disk": _disk,
        "runtime": _runtime,
        "models": _models,
        "embedding model": _embedding,
        "training": _training,
        "store": _store,
        "ports": _ports,
        "prefect": _prefect,
        "sensors": _sensors,
        "keychain": _keychain,
        "browser": _browser,
    }
    return [_guarded(part, check) for part, check in checks.items()]


def _guarded(part: str, check: Check) -> Diagnosis:
    try:
        return check()
    except ThirdShiftError as error:
        return Diagnosis(part=part, state="wrong", finding=error.what, remedy=error.remedy)
    except Exception as error:  # an examination must end, whatever a part does; this says what
        return Diagnosis(part=part, state="wrong", finding=f"{type(error).__name__}: {error}")


def _settings() -> Diagnosis:
    file = settings().file
    if not file.exists():
        return _warn("settings", f"{file} does not exist; defaults hold.", "thirdshift setup")
    return _ok("settings", str(file))


def _permissions() -> Diagnosis:
    home = settings().home
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        return _wrong("permissions", f"{nearest} is not writable.", f"chown -R $USER '{nearest}'")
    return _ok("permissions", f"{home} is writable.")


def _disk() -> Diagnosis:
    home = settings().home
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free / 1e9
    if free < settings().min_free_gb:
        finding = f"{free:.1f} GB are free, {settings().min_free_gb:g} GB are kept free."
        return _wrong("disk", finding, "Free some disk, or lower min_free_gb.")
    return _ok("disk", f"{free:.0f} GB are free.")


def _runtime() -> Diagnosis:
    from tasks.models.runtime import runtime

    where = {"ollama": settings().models.ollama_host, "embedded": "llama.cpp, built in"}
    return _ok("runtime", f"{runtime().name} ({where[runtime().name]})")


def _models() -> Diagnosis:
    from tasks.models.runtime import runtime

    billions = runtime().billions("sentinel")
    finding = f"The sentinel has {billions:.2g} billion parameters."
    if billions < settings().models.small_below:
        remedy = "Install Ollama and `ollama pull " + settings().models.sentinel + "`."
        return _warn("models", f"{finding} It quotes instead of answering.", remedy)
    return _ok("models", finding)


def _embedding() -> Diagnosis:
    from tasks.models.embedding import embedder

    length = embedder().query(["ready?"]).shape[1]
    return _ok("embedding model", f"{embedder().name}, {length} dimensions")


def _training() -> Diagnosis:
    from tasks.learning.weights.mlx_setup import LIBRARY, REMEDY, fast_blas

    if not fast_blas():
        return _warn("training", f"{LIBRARY} is missing: training is 15 times slower.", REMEDY)
    return _ok("training", "MLX has a fast BLAS.")


def _store() -> Diagnosis:
    from tasks.memory import chunks
    from tasks.reports.shift import memory_figures

    figures = memory_figures()
    finding = (
        f"{figures.chunks} chunks, {figures.megabytes} MB; all chunks made by {chunks.model()}."
    )
    if figures.megabytes > settings().store.alarm_gb * 1000:
        return _warn("store", finding, "thirdshift run maintain-store")
    return _ok("store", finding)


def _ports() -> Diagnosis:
    from deployments.services import supervise
    from deployments.services.programs import ensure_ports_free

    if supervise.running():
        return _ok("ports", "Ours are in use, by our own processes.")
    ensure_ports_free(["server", "engine"], patience=0)
    return _ok("ports", f"{settings().ports.prefect} and {settings().ports.engine} are free.")


def _prefect() -> Diagnosis:
    import httpx

    try:
        healthy = httpx.get(f"{settings().prefect_url}/api/health", timeout=5).is_success
    except httpx.HTTPError:
        healthy = False
    if not healthy:
        finding = f"No server answers at {settings().prefect_url}; schedules stand still."
        return _warn("prefect", finding, "thirdshift up")
    return _ok("prefect", settings().prefect_url)


def _sensors() -> Diagnosis:
    from deployments.catalogue import catalogue
    from tasks.machine import sensors
    from tasks.runs.gate import wanted

    senses = sensors.sense()
    silent = [name for name, sensed in senses.items() if sensed.value is None]
    asked = {name for entry in catalogue() for name in wanted(entry.gate)}
    finding = f"{len(senses) - len(silent)} of {len(senses)} speak" + (
        f"; silent: {', '.join(silent)}." if silent else "."
    )
    if asked & {*silent}:
        needed = ", ".join(sorted(asked & {*silent}))
        return _warn("sensors", f"{finding} Gates ask for {needed}.", "thirdshift sensors")
    return _ok("sensors", finding)


def _keychain() -> Diagnosis:
    import keyring

    backend = keyring.get_keyring()
    if backend.priority < 1:
        remedy = (
            "Install a keychain, e.g. `apt install gnome-keyring`; only connected services need it."
        )
        return _warn("keychain", "There is no secure keychain here.", remedy)
    return _ok("keychain", backend.name)


def _browser() -> Diagnosis:
    from tasks.web.browser import find

    try:
        return _ok("browser", str(find()))
    except BrowserMissing as error:
        return _warn("browser", error.what, error.remedy)


def _ok(part: str, finding: str) -> Diagnosis:
    return Diagnosis(part=part, state="ok", finding=finding)


def _warn(part: str, finding: str, remedy: str) -> Diagnosis:
    return Diagnosis(part=part, state="warning", finding=finding, remedy=remedy)


def _wrong(part: str, finding: str, remedy: str) -> Diagnosis:
    return Diagnosis(part=part, state="wrong", finding=finding, remedy=remedy)
