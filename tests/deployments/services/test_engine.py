"""The engine as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tasks.models.embedded.server import Address, address_file, supervised
from tasks.models.runtime import runtime
from thirdshift.errors import RuntimeUnavailable
from thirdshift.settings import settings

ENGINE = [sys.executable, "-m", "deployments.services.engine"]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def process(override: Callable[..., None], unused_tcp_port: int) -> Iterator[subprocess.Popen[str]]:
    """Start the engine on a free port and wait until it answers."""
    override(PORTS__ENGINE=unused_tcp_port, MODELS__RUNTIME="embedded")
    started = subprocess.Popen(ENGINE, cwd=ROOT, text=True, stderr=subprocess.PIPE)
    while not supervised():
        assert started.poll() is None, started.communicate()
        time.sleep(0.05)
    yield started
    started.kill()
    started.communicate()


def address() -> Address:
    return Address.model_validate_json(address_file().read_text())


def test_the_runtime_uses_the_engine_that_runs(process: subprocess.Popen[str]) -> None:
    answer = runtime().chat(max_tokens=30).invoke("What color is the sky?")

    assert "blue" in str(answer.content)
    assert address().url.endswith(str(settings().ports.engine))


def test_the_engine_answers_only_to_its_key(process: subprocess.Popen[str]) -> None:
    refused = httpx.get(f"{address().url}/v1/models")

    assert refused.status_code == 401
    assert address_file().stat().st_mode & 0o777 == 0o600


def test_term_ends_the_engine_cleanly(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0
    assert not address_file().exists()


def test_a_killed_engine_is_unavailable_and_the_next_chat_finds_another(
    process: subprocess.Popen[str],
) -> None:
    models = runtime()
    chat = models.chat(max_tokens=5)
    process.kill()
    process.wait()

    with pytest.raises(RuntimeUnavailable, match="thirdshift up"):
        chat.invoke("Hello")
    assert models.chat(max_tokens=5).invoke("Hello").content


def test_a_taken_port_ends_the_engine_with_the_reason(override: Callable[..., None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        override(PORTS__ENGINE=holder.getsockname()[1])

        ended = subprocess.run(ENGINE, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "is taken" in ended.stderr
    assert "ports.engine" in ended.stderr


def test_a_killed_parent_leaves_no_orphan(
    override: Callable[..., None], unused_tcp_port: int
) -> None:
    override(PORTS__ENGINE=unused_tcp_port)
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.run({ENGINE!r})"], cwd=ROOT
    )
    while not supervised():
        time.sleep(0.05)
    (child,) = psutil.Process(parent.pid).children()

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    assert psutil.wait_procs([child], timeout=30)[1] == []
