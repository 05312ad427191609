"""llama.cpp's server as a part of a process of ours: its address, its start, who else has one.

llama.cpp's mode of several models on one port starts processes of its own and is left out of
xllamacpp's build.
"""

import secrets
import socket
from pathlib import Path
from typing import Any

import httpx
import psutil

from tasks.machine.disk import write_whole
from tasks.models.gguf_layout import cache_bytes, header
from tasks.models.loopback import tls
from thirdshift.errors import ModelMissing, PortTaken, RuntimeUnavailable
from thirdshift.records import Record
from thirdshift.settings import settings

SLOTS = 2  # answers at the same time, each with a whole context: a chat need not await the night
PROMPT_CACHE = 256  # MiB for the prompts of earlier answers; llama.cpp's own default is 8 GiB
SCRATCH = 64 << 20  # bytes, measured with the built-in model: compute buffers


class Address(Record):
    """Where a llama.cpp server answers, and the key without which it does not."""

    model: str
    url: str
    key: str
    bytes: int

    def client(self, timeout: float = 0.5) -> httpx.Client:
        """Return an HTTP client that no proxy of the environment diverts."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, trust_env=False, verify=tls()
        )


def serve(model: str, file: Path, port: int = 0) -> tuple[Any, Address]:
    """Serve a GGUF on a loopback port (0: any free one) from this process, until it is dropped.

    Raises PortTaken, or ModelMissing where llama.cpp cannot load the file.
    """
    import xllamacpp

    if port and _taken(port):
        raise PortTaken(f"Port {port} is taken.", "Set ports.engine to a free one.")
    params, key = xllamacpp.CommonParams(), secrets.token_urlsafe(32)
    params.model.path, params.model_alias = str(file), {model}
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], port, [key]
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * settings().models.context
    params.cache_ram_mib, params.ui, params.verbosity = PROMPT_CACHE, False, -1
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = settings().models.threads or psutil.cpu_count(logical=False) or 1
        threads.poll = 0  # waiting threads that spin make a busy machine five times slower
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelMissing(f"llama.cpp cannot load {file}.", "Choose another GGUF.") from error
    address = Address(model=model, url=server.listening_address, key=key, bytes=estimate(file))
    _await_loop(address)
    return server, address


def _await_loop(address: Address) -> None:
    """Wait until llama.cpp takes requests from its queue.

    Its thread begins to after it has said where it listens. A server that is dropped in between
    would wait for ever: the word to end comes before the loop, which does not hear it.
    """
    try:
        with address.client(timeout=600) as client:
            client.get("/slots")  # is answered by the loop
    except httpx.HTTPError as error:
        reason = f"llama.cpp does not answer: {error}."
        raise RuntimeUnavailable(reason, "Try again, or choose a smaller model.") from error


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def estimate(file: Path) -> int:
    """Return the bytes that a model will take: weights, caches of all slots, scratch."""
    cache = cache_bytes(header(file), SLOTS * settings().models.context)
    return file.stat().st_size + cache + SCRATCH


def address_file() -> Path:
    """Return the file in which the supervised engine tells its address, to its owner alone."""
    return settings().run_path / "engine.json"


def announce(address: Address) -> None:
    """Write the address file, readable by its owner only."""
    write_whole(address_file(), address.model_dump_json(), mode=0o600)


def supervised() -> Address | None:
    """Return the supervised engine's address where it answers to its key."""
    try:
        address = Address.model_validate_json(address_file().read_text())
        with address.client() as client:
            client.get("/v1/models").raise_for_status()
    except (OSError, ValueError, httpx.HTTPError):
        return None
    return address
