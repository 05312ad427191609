"""Every test lives in a home of its own; all share one engine and one Prefect server."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from deployments.environment import environment
from tasks.learning.weights import conversion
from tasks.models.embedded import runtime as embedded
from tasks.models.embedded import server as engine_server
from tasks.models.embedded.files import built_in
from tasks.models.ollama import runtime as ollama_runtime
from tasks.models.runtime import runtime
from tasks.web import addresses
from tests.hostile import Web
from thirdshift.settings import settings


def forget() -> None:
    """Forget what a process keeps of its settings."""
    settings.cache_clear()
    runtime.cache_clear()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Move everything the product keeps into a temporary folder."""
    monkeypatch.setenv("THIRDSHIFT_HOME", str(tmp_path / "home"))
    forget()
    yield tmp_path / "home"
    forget()


@pytest.fixture
def override(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that overrides settings: `override(MODELS__CONTEXT=512)`."""

    def set_them(**keys: object) -> None:
        for key, value in keys.items():
            monkeypatch.setenv(f"THIRDSHIFT_{key}", str(value))
        forget()

    return set_them


@pytest.fixture(scope="session")
def engine_address() -> Iterator[engine_server.Address]:
    """Serve the built-in model once for all tests."""
    server, address = engine_server.serve(built_in().stem, built_in())
    yield address
    del server


@pytest.fixture
def engine(
    home: Path, engine_address: engine_server.Address, override: Callable[..., None]
) -> embedded.EmbeddedRuntime:
    """Return a runtime that found the shared engine as a supervised one, in child processes too."""
    override(MODELS__RUNTIME="embedded")
    engine_server.announce(engine_address)
    chosen = runtime()
    assert isinstance(chosen, embedded.EmbeddedRuntime)
    return chosen


@pytest.fixture(scope="session")
def mlx_base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Convert the built-in model once for all tests."""
    folder = tmp_path_factory.mktemp("mlx") / "base"
    conversion.convert(built_in(), folder, "float32")
    return folder


@pytest.fixture
def mlx_base(home: Path, mlx_base_folder: Path) -> Path:
    """Return the built-in model's MLX folder; `mlx_folder(built_in())` finds it in this home."""
    cached = settings().models_path / "mlx" / f"{conversion.content(built_in())[:16]}-float32"
    cached.parent.mkdir(parents=True)
    cached.symlink_to(mlx_base_folder)
    return cached


@pytest.fixture(scope="session")
def ollama_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real Ollama with a folder of its own, where one is installed."""
    binary = shutil.which("ollama")
    if binary is None:
        pytest.skip("ollama is not on PATH")
    folder = tmp_path_factory.mktemp("ollama")
    host = f"127.0.0.1:{free_port()}"
    variables = {"OLLAMA_HOST": host, "OLLAMA_MODELS": str(folder), "HOME": str(folder)}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([binary, "serve"], env=variables, stdout=log, stderr=log)
    yield host
    server.terminate()
    server.wait()


@pytest.fixture
def ollama(
    home: Path, ollama_host: str, override: Callable[..., None]
) -> ollama_runtime.OllamaRuntime:
    """Return a runtime over a real Ollama that has the built-in model in both tiers."""
    override(MODELS__RUNTIME="ollama", MODELS__OLLAMA_HOST=ollama_host)
    override(MODELS__SENTINEL="small", MODELS__SPECIALIST="large")
    while not ollama_runtime.answers():
        time.sleep(0.05)
    chosen = runtime()
    assert isinstance(chosen, ollama_runtime.OllamaRuntime)
    for name in ("small", "large"):
        chosen.publish(name, built_in())
    return chosen


@pytest.fixture
def site(override: Callable[..., None]) -> Iterator[Web]:
    """Serve a site of the owner's own, hostile paths included."""
    with Web() as site:
        override(WEB__ALLOWED_HOSTS=f'["{site.host}"]')
        yield site


@pytest.fixture
def outside(override: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Serve a site that passes for one on the internet, as http://outside.example:PORT."""
    override(WEB__DELAY_SECONDS=0)
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    real = addresses.resolve

    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if host.endswith(".example") else real(host, port)

    monkeypatch.setattr(addresses, "resolve", resolve)
    with Web() as site:
        site.base = f"http://outside.example:{site.port}"
        yield site


@pytest.fixture(scope="session")
def prefect_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve Prefect once for all tests and return its port."""
    folder, port = tmp_path_factory.mktemp("prefect"), free_port()
    variables = {"THIRDSHIFT_HOME": str(folder), "THIRDSHIFT_PORTS__PREFECT": str(port)}
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-P", "-m", "deployments.services.server"]
        server = subprocess.Popen(command, env=os.environ | variables, stdout=log, stderr=log)
    while not healthy(port):
        assert server.poll() is None, (folder / "log").read_text()
        time.sleep(0.1)
    yield port
    _send_the_last_logs()
    server.terminate()
    server.wait()


def _send_the_last_logs() -> None:
    """Send what this process has logged, lest it try for a minute when the server is gone."""
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=10)


@pytest.fixture
def prefect(
    home: Path,
    prefect_port: int,
    override: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Point settings and Prefect, here and in child processes, at the shared server."""
    import prefect.context
    from prefect.settings import Settings

    override(PORTS__PREFECT=prefect_port)
    for name, value in environment(settings()).items():
        monkeypatch.setenv(name, value)
    profile = prefect.context.get_settings_context().profile
    # The global one, not a context variable: flows run in threads and loops of their own.
    context = prefect.context.SettingsContext(profile=profile, settings=Settings())
    monkeypatch.setattr(prefect.context, "GLOBAL_SETTINGS_CONTEXT", context)
    return settings().prefect_url


def healthy(port: int) -> bool:
    """Tell whether a Prefect server answers on the port."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
