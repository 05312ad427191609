"""REST APIs and web pages: JSON and CSV, page after page, with a token of the keychain; tables.

Everything is fetched by `tasks.web`; a host of your own network must stand in `allowed_hosts`.
"""

import base64
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from tasks.analysis.extraction.rows import records_at, value_at, write_records, write_rows
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
            error.args = tuple(str(words).replace(token, "…") for words in error.args)
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


class _Answer(NamedTuple):
    """A page of an API, parsed once: what it holds, and the records in it."""

    page: "Page"
    content: Any
    records: list[Mapping[str, Any]]


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
    known = before if source.paging is None else None
    for answer in _answers(source, url, headers, known):
        if answer.page.not_modified:
            return None
        size += len(answer.page.body)
        if size > settings().analyst.fetch_mb * 1e6:
            most = f"{settings().analyst.fetch_mb:g} MB"
            raise SourceUnavailable(f"{source.url} sends more than {most}.", "Raise fetch_mb.")
        records += answer.records
        marks = _marks(answer.page) if source.paging is None else {}
    write_records(into, records)
    return marks


def _answers(
    source: HttpSource, url: httpx.URL, headers: Mapping[str, str], before: Snapshot | None
) -> Iterator[_Answer]:
    """Yield the pages of an API until one is empty, short, the last, or seen before."""
    paging, seen, taken = source.paging, set(), 0
    next_url: httpx.URL | None = _first(url, paging)
    for number in range(paging.most if paging else 1):
        if next_url is None or str(next_url) in seen:
            return
        seen.add(str(next_url))
        answer = _parsed(_fetch(next_url, headers, before, _JSON), source.records)
        if number and not answer.records:
            return
        yield answer
        taken += len(answer.records)
        next_url = _following(paging, url, answer, number + 1, taken) if paging else None
    if paging and next_url is not None:
        raise SourceUnavailable(f"{source.url} has more than {paging.most} pages.", "Raise `most`.")


def _parsed(page: "Page", place: str) -> _Answer:
    """Parse a page, once; one that has not changed has no records."""
    if page.not_modified:
        return _Answer(page, None, [])
    try:
        content = json.loads(page.body)
    except ValueError as error:
        start = page.body[:60].decode("utf-8", "replace")
        raise SourceUnavailable(f"The answer is not JSON: it begins {start!r}.") from error
    return _Answer(page, content, records_at(content, place))


def _first(url: httpx.URL, paging: Paging | None) -> httpx.URL:
    if paging is None:
        return url
    parameters: dict[str, str | int] = {}
    if paging.size_parameter:
        parameters[paging.size_parameter] = paging.size
    if paging.kind == "page":
        parameters[paging.parameter or "page"] = paging.first
    return url.copy_merge_params(parameters)


def _following(
    paging: Paging, url: httpx.URL, answer: _Answer, number: int, taken: int
) -> httpx.URL | None:
    """Return the address of the page after `number` pages with `taken` records; None: the last.

    page      ?page=1, ?page=2, …             until one is empty, or shorter than it was asked to be
    offset    ?offset=100, ?offset=200, …     likewise
    cursor    ?after=x7f3, as the answer says under `cursor`
    link      as the header `Link: <…>; rel="next"` says, or the answer under `cursor`
    """
    start = _first(url, paging)
    if paging.kind == "link":
        header = _NEXT.search(answer.page.headers.get("link", ""))
        under = value_at(answer.content, paging.cursor) if paging.cursor else None
        address = header[1] if header else under
        return _same_origin(url, str(address)) if address else None
    if paging.kind == "cursor":
        cursor = value_at(answer.content, paging.cursor)
        name = paging.parameter or "cursor"
        return start.copy_merge_params({name: cursor}) if cursor not in (None, "", False) else None
    count = len(answer.records)
    if not count or (paging.size_parameter and count < paging.size):
        return None
    step = taken if paging.kind == "offset" else paging.first + number
    return start.copy_merge_params({paging.parameter or paging.kind: step})


def _same_origin(url: httpx.URL, address: str) -> httpx.URL:
    """Return an address that an answer gave; it would get our token, so no other host may."""
    there = url.join(address)
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


def _marks(page: "Page") -> dict[str, str]:
    return {"etag": page.etag, "last_modified": page.last_modified}
