"""TLS of HTTP clients that speak to this machine's own servers."""

import ssl
from functools import cache


@cache
def tls() -> ssl.SSLContext:
    """Return the one TLS context of all HTTP clients: each would else take 20 ms to make one."""
    return ssl.create_default_context()
