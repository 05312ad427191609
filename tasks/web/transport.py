"""Transport: the wire below HTTP, to checked addresses only, so many bytes, so long.

Limits are kept at the socket, so that nothing above can forget them: drips, floods of headers
and endless bodies all end here.
"""

from collections.abc import Iterable
from time import monotonic
from typing import Any

import httpcore

from tasks.web import addresses
from thirdshift.errors import LimitExceeded


class Budget:
    """What one fetch may still take from the wire, over all its redirects.

    `subject` is the address that is being read, for the messages.
    """

    subject = ""

    def __init__(self, seconds: float, silence: float, size: int) -> None:
        self._seconds, self._silence, self._size = seconds, silence, size
        self._end, self._left = monotonic() + seconds, size

    def time(self) -> float:
        """Return for how many seconds the next step may block."""
        left = self._end - monotonic()
        if left <= 0:
            raise LimitExceeded(f"{self.subject} took more than {self._seconds:g} s.")
        return min(left, self._silence)

    def spend(self, size: int) -> None:
        """Count bytes that came."""
        self._left -= size
        if self._left < 0:
            raise LimitExceeded(f"{self.subject} sends more than {self._size:,} bytes.")

    def foresee(self, size: int) -> None:
        """Refuse before the first byte what is announced as too much."""
        if size > self._left:
            raise LimitExceeded(
                f"{self.subject} announces {size:,} bytes; {self._size:,} are allowed."
            )


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to an address that was looked at, whatever name asks for it."""

    def __init__(self, budget: Budget, *, private: bool) -> None:
        self._budget, self._private = budget, private
        self._wire = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of the host that answers; all were checked before."""
        candidates = addresses.checked(host, port, self._budget.time(), private=self._private)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in candidates:
            try:
                stream = self._wire.connect_tcp(
                    address, port, self._budget.time(), local_address, socket_options
                )
                return _Metered(stream, self._budget)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _Metered(httpcore.NetworkStream):
    """A stream that keeps to a budget, in clear and in TLS."""

    def __init__(self, stream: httpcore.NetworkStream, budget: Budget) -> None:
        self._stream, self._budget = stream, budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            data = self._stream.read(max_bytes, self._budget.time())
        except httpcore.ReadTimeout:
            self._budget.time()  # was it all of its time, or only silent?
            raise
        self._budget.spend(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._budget.time())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._budget.time())
        return _Metered(stream, self._budget)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
