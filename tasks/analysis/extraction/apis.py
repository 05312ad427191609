"""Data from the web: JSON and CSV, page after page, with a token from the keychain; HTML tables.

Everything is fetched by `tasks.web`; a host of your own network must stand in `allowed_hosts`.
"""

import base64
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tasks.analysis.extraction.rows import (
    at,
    records_at,
    write_records,
    write_rows,
)
from tasks.analysis.extraction.snapshots import Snapshot
from thirdshift.data_sources import Auth, HtmlSource, HttpSource, Paging
from thirdshift.errors import SourceUnavailable, ThirdShiftError
from thirdshift.keychain import secret
from thirdshift.settings import settings

if TYPE_CHECKING:
    from tasks.web.page import Page

_PAUSE = 0.2  # seconds between two pages of one API
_JSON = "application/json, */*;q=0.5"
_CSV = "text/csv, text/plain;q=0.9, */*;q=0.5"
_NEXT = re.compile(r"""<([^>]+)>\s*;[^,]*\brel="?next"?""")


def write_answer(source: HttpSource, into: Path, before: Snapshot | None) -> dict[str, str] | None:
    """Write what an API has as CSV; return its marks of change, None where it says: the same.

    Raises SourceUnavailable, or what `tasks.web.fetch` raises.
    """
    headers, query = _credentials(source.auth)
    url = httpx.URL(source.url).copy_merge_params({**source.parameters, **query})
    try:
        if source.format == "csv":
            page = _fetch(url, headers, before, _CSV)
            if page.not_modified:
                return None
            into.write_bytes(page.body)
            return _marks(page)
        return _write_json(source, url, headers, into, before)
    except ThirdShiftError as error:  # an address that carries the token is not for anyone's eyes
        for token in query.values():
            error.what = error.what.replace(token, "…")
            error.args = tuple(str(said).replace(token, "…") for said in error.args)
        raise


def write_page(source: HtmlSource, into: Path, before: Snapshot | None) -> dict[str, str] | None:
    """Write a table of a web page as CSV; None where the page is still the same."""
    import pandas as pd

    page = _fetch(httpx.URL(source.url), {}, before, "text/html")
    if page.not_modified:
        return None
    try:
        # Numbers stay as they are written: whoever reads the file judges their notation.
        tables = pd.read_html(io.StringIO(page.text), flavor="lxml", thousands="\0", decimal="\0")
    except ValueError:
        tables = []
    if source.table >= len(tables):
        raise SourceUnavailable(f"{source.url} has {len(tables)} tables, not {source.table + 1}.")
    table = tables[source.table]
    names = [name[-1] if isinstance(name, tuple) else name for name in table.columns]
    rows = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    write_rows(into, [[str(name) for name in names], *rows])
    return _marks(page)


def _write_json(
    source: HttpSource,
    url: httpx.URL,
    headers: Mapping[str, str],
    into: Path,
    before: Snapshot | None,
) -> dict[str, str] | None:
    records: list[Mapping[str, Any]] = []
    marks: dict[str, str] = {}
    size = 0
    # A first page that is the same says nothing of the later ones.
    asked = before if source.paging is None else None
    for page in _pages(source, url, headers, asked):
        if page.not_modified:
            return None
        size += len(page.body)
        if size > settings().analyst.fetch_mb * 1e6:
            most = f"{settings().analyst.fetch_mb:g} MB"
            raise SourceUnavailable(f"{source.url} sends more than {most}.", "Raise fetch_mb.")
        records += records_at(_json(page), source.records)
        marks = _marks(page) if source.paging is None else {}
    write_records(into, records)
    return marks


def _pages(
    source: HttpSource, url: httpx.URL, headers: Mapping[str, str], before: Snapshot | None
) -> "Iterator[Page]":
    """Yield the pages of an API until one is empty, short, the last, or seen before."""
    paging, seen, got = source.paging, set(), 0
    next_url: httpx.URL | None = _first(url, paging)
    for number in range(paging.most if paging else 1):
        if next_url is None or str(next_url) in seen:
            return
        seen.add(str(next_url))
        page = _fetch(next_url, headers, before, _JSON)
        count = 0 if page.not_modified else len(records_at(_json(page), source.records))
        if number and not count:
            return
        yield page
        got += count
        next_url = _following(paging, url, page, number + 1, got, count) if paging else None
    if paging and next_url is not None:
        raise SourceUnavailable(f"{source.url} has more than {paging.most} pages.", "Raise `most`.")


def _first(url: httpx.URL, paging: Paging | None) -> httpx.URL:
    if paging is None:
        return url
    given: dict[str, str | int] = {}
    if paging.size_parameter:
        given[paging.size_parameter] = paging.size
    if paging.kind == "page":
        given[paging.parameter or "page"] = paging.first
    return url.copy_merge_params(given)


def _following(
    paging: Paging, url: httpx.URL, page: "Page", number: int, got: int, count: int
) -> httpx.URL | None:
    """Return the address of the page after this one; None after the last."""
    start = _first(url, paging)
    if paging.kind == "link":
        found = _NEXT.search(page.headers.get("link", ""))
        said = found[1] if found else at(_json(page), paging.cursor) if paging.cursor else None
        return _same_origin(url, str(said)) if said else None
    if paging.kind == "cursor":
        cursor = at(_json(page), paging.cursor)
        name = paging.parameter or "cursor"
        return start.copy_merge_params({name: cursor}) if cursor not in (None, "", False) else None
    if not count or (paging.size_parameter and count < paging.size):
        return None
    step = got if paging.kind == "offset" else paging.first + number
    return start.copy_merge_params({paging.parameter or paging.kind: step})


def _same_origin(url: httpx.URL, said: str) -> httpx.URL:
    """Return an address that an answer gave; it would get our token, so no other host may."""
    there = url.join(said)
    if (there.scheme, there.host, there.port) != (url.scheme, url.host, url.port):
        raise SourceUnavailable(f"{url.host} sends us on to {there.host}, which gets no token.")
    return there


def _credentials(auth: Auth | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headers and the part of the query that let us in."""
    if auth is None:
        return {}, {}
    token = secret(auth.keychain)
    if auth.kind == "query":
        return {}, {auth.name or "api_key": token}
    if auth.kind == "header":
        return {auth.name or "X-API-Key": token}, {}
    if auth.kind == "basic":
        pair = base64.b64encode(f"{auth.user}:{token}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}, {}
    return {"Authorization": f"Bearer {token}"}, {}


def _fetch(
    url: httpx.URL, headers: Mapping[str, str], before: Snapshot | None, accept: str
) -> "Page":
    from tasks.web.fetch import fetch
    from tasks.web.page import Limits

    most = int(settings().analyst.fetch_mb * 1e6)
    limits = Limits(seconds=600, wire_bytes=most, body_bytes=most, tries=3)
    return fetch(
        str(url),
        etag=before.etag if before else "",
        modified=before.last_modified if before else "",
        accept=accept,
        headers=headers,
        limits=limits,
        delay=_PAUSE,
    )


def _json(page: "Page") -> Any:
    try:
        return json.loads(page.body)
    except ValueError as error:
        start = page.body[:60].decode("utf-8", "replace")
        raise SourceUnavailable(f"The answer is not JSON: it begins {start!r}.") from error


def _marks(page: "Page") -> dict[str, str]:
    return {"etag": page.etag, "last_modified": page.last_modified}
