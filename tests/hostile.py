"""A web on loopback that does what the real one does to readers, and worse.

`Web().serve(path, …)` adds plain answers; `raw(path, …)` says what goes down the socket, byte
by byte. `HOSTILE` holds the classics. Nothing here allocates what it sends.
"""

import gzip
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Say = Callable[[socket.socket, "Request"], None]


class Request:
    """What a reader asked: the target as sent, and its headers by name in lower case."""

    def __init__(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ", 2)
        self.path, _, self.query = self.target.partition("?")
        pairs = [line.split(": ", 1) for line in lines[1:] if ": " in line]
        self.headers = {name.lower(): value for name, value in pairs}


class Web:
    """A threaded server; a context manager. `requests` holds what was asked, in order."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._pages: dict[str, Say] = dict(HOSTILE)
        self._context = context
        self.requests: list[Request] = []
        self.sent: Counter[str] = Counter()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.host = f"127.0.0.1:{self.port}"
        self.base = f"http{'s' if context else ''}://{self.host}"

    def serve(
        self,
        path: str,
        body: str | bytes = b"",
        kind: str = "text/html; charset=utf-8",
        status: int = 200,
        **headers: str,
    ) -> str:
        """Answer the path so, 304 where the reader has the ETag already; return the URL."""
        data = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        def say(connection: socket.socket, request: Request) -> None:
            known = named.get("ETag") or named.get("Last-Modified")
            asked = request.headers.get("if-none-match", request.headers.get("if-modified-since"))
            if known and asked == known:
                connection.sendall(answer(b"", 304, **named))
            else:
                connection.sendall(answer(data, status, **{"Content-Type": kind, **named}))

        return self.raw(path, say)

    def raw(self, path: str, say: Say) -> str:
        """Let `say(socket, request)` answer the path; return the URL."""
        self._pages[path] = say
        return self.base + path

    def visits(self, path: str) -> int:
        """Return how often the path was asked for."""
        return sum(request.path == path for request in self.requests)

    def __enter__(self) -> "Web":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # wakes accept() on Linux; macOS does so on close
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                request = Request(_head(connection))
                self.requests.append(request)
                self._pages.get(request.path, _absent)(connection, request)
        except (OSError, ValueError):
            return  # the reader hung up, as it should


def answer(body: bytes = b"", status: int = 200, **headers: Any) -> bytes:
    """Return a whole answer; `Content_Length=None` leaves that header out."""
    named = {"Content-Length": len(body), "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in named.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status} So", *lines, "", ""]).encode() + body


def redirect(to: str, status: int = 302) -> Say:
    """Send the reader on."""
    return lambda connection, _: connection.sendall(answer(b"", status, Location=to))


def _head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        if not more:
            raise ValueError("hung up")
        data += more
    return data.partition(b"\r\n\r\n")[0]


def _absent(connection: socket.socket, request: Request) -> None:
    connection.sendall(answer(b"not here", 404))


def _hop(connection: socket.socket, request: Request) -> None:
    left = int(request.query)
    redirect(f"/hop?{left - 1}" if left else "/hello")(connection, request)


def _endless(connection: socket.socket, request: Request) -> None:
    length = None if request.query == "unannounced" else 10_000_000_000
    connection.sendall(answer(Content_Type="text/html", Content_Length=length))
    for _ in range(160_000):
        connection.sendall(b"<p>more</p>\n" * 5_000)


def _drip(connection: socket.socket, request: Request) -> None:
    connection.sendall(answer(Content_Type="text/html", Content_Length=1_000_000))
    _dribble(connection, b"x")


def _drip_headers(connection: socket.socket, request: Request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _dribble(connection, b"x")


def _dribble(connection: socket.socket, what: bytes) -> None:
    while True:
        connection.sendall(what)
        time.sleep(0.02)


def _silent(connection: socket.socket, request: Request) -> None:
    connection.recv(1)  # until the reader hangs up


def _bomb(connection: socket.socket, request: Request) -> None:
    member = gzip.compress(bytes(10_000_000), 9)  # 10 kB each, 10 GB in all
    connection.sendall(answer(Content_Encoding=request.query, Content_Length=None))
    for _ in range(1000):
        connection.sendall(member)


def _flood(connection: socket.socket, request: Request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000_000):
        connection.sendall(b"X-%d: %s\r\n" % (number, b"y" * 1000))


def _continues(connection: socket.socket, request: Request) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)


def _reset(connection: socket.socket, request: Request) -> None:
    connection.sendall(answer(Content_Length=1000) + b"half")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _cut(connection: socket.socket, request: Request) -> None:
    connection.sendall(answer(gzip.compress(b"x" * 9)[:-9], Content_Encoding="gzip"))


def _hello(connection: socket.socket, request: Request) -> None:
    connection.sendall(answer(b"<p>Hello.</p>", Content_Type="text/html"))


HOSTILE: dict[str, Say] = {
    "/hello": _hello,
    "/loop": redirect("/loop"),
    "/hop": _hop,
    "/endless": _endless,
    "/drip": _drip,
    "/drip-headers": _drip_headers,
    "/silent": _silent,
    "/bomb": _bomb,
    "/flood": _flood,
    "/continues": _continues,
    "/reset": _reset,
    "/short": lambda connection, _: connection.sendall(answer(b"half", Content_Length=1000)),
    "/cut": _cut,
    "/nonsense": lambda connection, _: connection.sendall(b"\x16\x03\x01 what?\r\n\r\n"),
    "/empty": lambda connection, _: None,
    "/unending-chunk": lambda connection, _: connection.sendall(
        answer(Transfer_Encoding="chunked", Content_Length=None) + b"ffffffffffffffffffffff\r\n"
    ),
}
