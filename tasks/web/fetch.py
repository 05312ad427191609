"""HTTP client: the one way to fetch from outside, bounded, polite, to public addresses only.

Nothing of the environment is used: no proxy, no netrc, no cookies. What comes back is data
with provenance `untrusted_web`, whatever it says.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from http.client import responses
from ssl import SSLContext

import httpcore
import httpx

from tasks.web import addresses, pacing
from tasks.web.decompression import ACCEPTED, unpacked
from tasks.web.page import Limits, Page
from tasks.web.transport import Budget, PinnedBackend
from thirdshift.errors import LimitExceeded, PageUnavailable
from thirdshift.records import now
from thirdshift.settings import settings

Headers = dict[str, str]

HTML = "text/html, application/xhtml+xml, */*;q=0.5"
_REDIRECTS = {301, 302, 303, 307, 308}
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_REMEDIES = {
    401: "It wants a login.",
    403: "It does not let us in.",
    404: "The page may have moved.",
    410: "It is gone for good.",
}
_FAILURES = (httpcore.ProtocolError, httpcore.TimeoutException, httpcore.NetworkError)


def fetch(
    url: str,
    *,
    etag: str = "",
    modified: str = "",
    accept: str = HTML,
    headers: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    delay: float | None = None,
    found_on: str = "",
) -> Page:
    """Return what lies at the URL, after redirects; a 304 gives a page that is `not_modified`.

    `etag` and `modified` are those of the copy at hand; `headers` go to the URL's own origin
    only; `delay` is the pause between two visits to the host, in seconds; `found_on` is the
    page that links there. Raises AddressRefused, LimitExceeded or PageUnavailable.
    """
    target, limits = addresses.parsed(url, found_on), limits or Limits()
    without = _headers(accept, etag, modified)
    with_credentials = without | {name.title(): sent for name, sent in (headers or {}).items()}
    host = f"{target.host}:{addresses.port(target)}" if addresses.owned(target) else target.host
    for attempt in range(limits.tries):
        pacing.take_turn(host, _delay(target) if delay is None else delay)
        try:
            return _follow(target, with_credentials, without, limits)
        except PageUnavailable as error:
            again = error.passing and attempt + 1 < limits.tries and not _far(error.retry_at)
            if error.retry_at or again:
                pacing.put_off(host, error.retry_at or now() + timedelta(seconds=2**attempt))
            if not again:
                raise
    raise AssertionError("limits.tries is at least 1")


@cache
def trust() -> SSLContext:
    """Return whom TLS trusts: the usual authorities, whatever the environment says."""
    return httpx.create_ssl_context(trust_env=False)


def _delay(target: httpx.URL) -> float:
    return 0.0 if addresses.owned(target) else settings().web.delay_seconds


def _far(moment: datetime | None) -> bool:
    return bool(moment and moment - now() > timedelta(seconds=settings().web.patience_seconds))


def _headers(accept: str, etag: str, modified: str) -> Headers:
    named = {
        "User-Agent": settings().web.user_agent,
        "Accept": accept,
        "Accept-Encoding": ACCEPTED,
        "If-None-Match": etag,
        "If-Modified-Since": modified,
    }
    return {name: value for name, value in named.items() if value}


def _follow(start: httpx.URL, with_credentials: Headers, without: Headers, limits: Limits) -> Page:
    """Follow redirects within one budget; the caller's headers go to the first origin only."""
    target, budget = start, Budget(limits.seconds, limits.silence, limits.wire_bytes)
    for _ in range(limits.redirects + 1):
        headers = with_credentials if _origin(target) == _origin(start) else without
        with _answer(target, headers, budget) as answer:
            received = _received(answer)
            where = received.get("location") if answer.status in _REDIRECTS else None
            if not where:
                _expect_page(target, answer.status, received)
                body = _body(answer, received, budget, limits.body_bytes)
                return Page(
                    asked=str(start),
                    url=str(target),
                    status=answer.status,
                    headers=received,
                    body=body,
                )
        target = addresses.parsed(where, found_on=str(target))
    raise LimitExceeded(f"{start} redirects more than {limits.redirects} times, last to {target}.")


@contextmanager
def _answer(target: httpx.URL, headers: Headers, budget: Budget) -> Iterator[httpcore.Response]:
    budget.subject = str(target)
    backend = PinnedBackend(budget, private=addresses.owned(target))
    sent = [("Host", target.netloc.decode()), *headers.items()]
    wire = httpcore.URL(
        scheme=target.raw_scheme,
        host=target.raw_host,
        port=target.port,
        target=target.raw_path,
    )
    try:
        with (
            httpcore.ConnectionPool(trust(), network_backend=backend) as pool,
            pool.stream("GET", wire, headers=sent) as answer,
        ):
            yield answer
    except _FAILURES as error:
        reason = str(error) or type(error).__name__
        raise PageUnavailable(f"{target} gives no answer: {reason}.", passing=True) from None


def _origin(target: httpx.URL) -> tuple[str, str, int]:
    return target.scheme, target.host, addresses.port(target)


def _received(answer: httpcore.Response) -> Headers:
    """Return the headers by name in lower case; those that came twice are joined."""
    joined: Headers = {}
    for raw_name, raw in answer.headers:
        name, value = raw_name.decode("latin-1").lower(), raw.decode("utf-8", "replace")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _expect_page(target: httpx.URL, status: int, received: Headers) -> None:
    if status < 300 or status == HTTPStatus.NOT_MODIFIED:
        return
    raise PageUnavailable(
        f"{target} answers {status}, {responses.get(status, 'which means nothing')}.",
        _REMEDIES.get(status, ""),
        status=status,
        retry_at=_retry_moment(received.get("retry-after", "")),
        passing=status in _PASSING,
    )


def _retry_moment(header: str) -> datetime | None:
    try:
        if header.strip().isdecimal():
            return now() + timedelta(seconds=min(int(header), pacing.LONGEST))
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _body(answer: httpcore.Response, received: Headers, budget: Budget, limit: int) -> bytes:
    announced = received.get("content-length", "")
    budget.foresee(int(announced[:20]) if announced.isdecimal() else 0)
    encoding = received.get("content-encoding", "").strip().lower()
    return b"".join(unpacked(answer.iter_stream(), encoding, limit, budget.subject))
