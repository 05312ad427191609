"""The Prefect server process: API and pages on 127.0.0.1, nothing from or to anywhere else."""

import asyncio
import gc
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

from deployments.environment import apply, origins
from deployments.services.database import shrink, take_turns
from tasks.machine.lifeline import end_with_parent
from thirdshift.errors import PortTaken
from thirdshift.settings import Settings, settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COLLECT = 5.0  # seconds between collections of young garbage; every 12th is of all
RETRY_AFTER = (b"retry-after", b"0.05")  # seconds; without it Prefect's clients wait 2, 4, 8 …


def main() -> None:
    """Serve Prefect until TERM, or until the supervisor is gone.

    Raises PortTaken when somebody else listens on the port.
    """
    end_with_parent()
    apply()
    os.environ["PREFECT__SERVER_FINAL"] = "1"  # saves 50 MB
    listener = listen(settings().ports.prefect, "ports.prefect")
    shrink(settings().prefect_path / "prefect.db")

    import uvicorn
    from prefect.server.api.server import create_app

    _stay_home()
    take_turns()
    app = guarded(hurried(create_app()), settings())
    collect_apart()
    config = uvicorn.Config(
        app, log_level="warning", ws_max_size=2**26, timeout_graceful_shutdown=3
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def listen(port: int, key: str) -> socket.socket:
    """Return a socket that listens on 127.0.0.1:`port`, or raise PortTaken naming its owner.

    `key` is the setting that chooses the port.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise PortTaken(
            f"Port {port} belongs to {_owner(port)}.",
            f"End it, or choose another port: {key} in {settings().file}.",
        ) from None
    return listener


def collect_apart() -> None:
    """Collect garbage in a thread of its own, and no more where it happens to fall due.

    A cursor of SQLite among the garbage waits for its connection, and that for the lock of the
    database, up to 60 s. In the thread of the event loop this also stops whoever holds that
    lock: a burst of six runs then took one to five minutes.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    threading.Thread(target=_collect, name="garbage", daemon=True).start()


def _collect() -> None:
    count = 0
    while True:
        time.sleep(COLLECT)
        count += 1
        gc.collect(1 if count % 12 else 2)


def _owner(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == "LISTEN" and tuple(connection.laddr)[1:] == (port,):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:  # macOS tells only root whose port it is
        pass
    return "another program"


def hurried(app: "ASGIApp") -> "ASGIApp":
    """Let 503 answers ask the client back in 50 ms.

    SQLite may refuse writes that come at once; the client would wait 2, 4, 8 s.
    """

    async def serve(scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def answer(message: "Message") -> None:
            if message["type"] == "http.response.start" and message["status"] == 503:
                message["headers"] = [*message["headers"], RETRY_AFTER]
            await send(message)

        await app(scope, receive, answer if scope["type"] == "http" else send)

    return serve


def guarded(app: "ASGIApp", settings_: Settings) -> "ASGIApp":
    """Refuse what other web pages ask of the API, and keep our pages from asking elsewhere.

    The API has no password, so a page of any site that is open in the owner's browser could
    start runs and read events. Host and Origin tell such requests apart.
    """
    own = origins(settings_)
    hosts = {origin.removeprefix("http://").encode() for origin in own}
    sockets = " ".join(origin.replace("http", "ws", 1) for origin in own)
    policy = (
        f"default-src 'self' {' '.join(own)} {sockets} data: blob: 'unsafe-inline' 'unsafe-eval'"
    )

    async def serve(scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def answer(message: "Message") -> None:
            if message["type"] == "http.response.start":
                header = (b"content-security-policy", policy.encode())
                message["headers"] = [*message["headers"], header]
            await send(message)

        headers = dict(scope.get("headers", []))
        origin = headers.get(b"origin", own[0].encode()).decode("latin-1")
        if scope["type"] == "lifespan" or (headers.get(b"host") in hosts and origin in own):
            await app(scope, receive, answer if scope["type"] == "http" else send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"Not from this page."})
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    return serve


def _stay_home() -> None:
    """Take Prefect's lists of blocks and workers out of its package, not from GitHub."""
    from prefect.server.api import collections

    for view in collections.KNOWN_VIEWS:
        collections.KNOWN_VIEWS[view] = "bundled:"  # no protocol: the local file is its fall-back


if __name__ == "__main__":
    main()
