"""The owner's list of what is watched: a commented YAML file, and OPML in and out of it."""

from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from pydantic import ValidationError

from tasks.machine.disk import write_whole
from thirdshift.errors import NotFound, SettingsInvalid, explained
from thirdshift.newsroom import Source, SourceKind, Watchlist
from thirdshift.paths import DATASETS
from thirdshift.settings import settings

_EMPTY = "keywords: []\ninterests: []\nsources: []\n"
_MOST_OPML = 10_000_000  # bytes


def watchlist(file: Path | None = None) -> Watchlist:
    """Return the list, addresses of files made absolute; an empty one where there is no file.

    Raises SettingsInvalid naming the file, the source and the key.
    """
    file = file or settings().sources_file
    if not file.exists():
        return Watchlist()
    document = _read(file)
    if not isinstance(document, dict):
        raise SettingsInvalid(f"{file} is not a list of sources.", "Its head explains the keys.")
    try:
        sources = [_source(file, number, item) for number, item in enumerate(_listed(document), 1)]
        return Watchlist.model_validate({**document, "sources": sources})
    except ValidationError as error:
        raise SettingsInvalid(
            f"{file}: {explained(error)}", "Its head explains the keys."
        ) from None


def named(name: str) -> list[Source]:
    """Return the source called `name`, or all for an empty one; NotFound lists the names."""
    listed = watchlist().sources
    wanted = [source for source in listed if name in ("", source.name)]
    if not wanted:
        known = ", ".join(source.name for source in listed)
        raise NotFound(f"No source is called {name}.", f"There are: {known or 'none'}.")
    return wanted


def source_at(place: str, kind: SourceKind = "feed", *, name: str = "", **more: Any) -> Source:
    """Return the source at an address, or of a query on X, named by its host where it has no name.

    Raises SettingsInvalid where the place is none.
    """
    if kind == "x" and place.strip():
        return Source(name=name or place, kind=kind, query=place, **more)
    scheme, host = _parts(place)
    if kind == "x" or not (scheme == "file" or (scheme in ("http", "https") and host)):
        remedy = "Say https://…, http://… or file:…; with kind x a query, e.g. from:nasa."
        raise SettingsInvalid(f"{place!r} is no address.", remedy)
    return Source(name=name or host or place, kind=kind, url=place, **more)


def add(sources: Iterable[Source], file: Path | None = None) -> list[Source]:
    """Append the sources that are not listed yet and return them; comments stay as they are."""
    file = file or settings().sources_file
    listed = watchlist(file)  # refuses a file we must not write to
    known = {source.id for source in listed.sources}
    names = {source.name for source in listed.sources}
    fresh: dict[str, Source] = {}
    for source in sources:
        identity = _placed(source, file).id
        if identity not in known | fresh.keys():
            fresh[identity] = _named_apart(source, names)
            names.add(fresh[identity].name)
    if fresh:
        document = _read(file) if file.exists() else _yaml().load(_head() + _EMPTY)
        if not document.get("sources"):
            document["sources"] = []
        document["sources"] += [_entry(source) for source in fresh.values()]
        _write(document, file)
    return list(fresh.values())


def remove(name: str, file: Path | None = None) -> None:
    """Take the source called `name`, or with that address, off the list; NotFound lists all."""
    file = file or settings().sources_file
    listed = watchlist(file).sources  # refuses a file we must not write to
    document = _read(file) if file.exists() else {}
    called = ("name", "url", "query")
    entries = [item for item in _listed(document) if name in [item.get(key) for key in called]]
    if not entries:
        known = ", ".join(source.name for source in listed)
        raise NotFound(f"No source is called {name}.", f"There are: {known or 'none'}.")
    for item in entries:
        document["sources"].remove(item)
    _write(document, file)


def from_opml(file: Path) -> list[Source]:
    """Return the feeds of an OPML file; SettingsInvalid where it is none."""
    import listparser

    try:
        data = file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.") from error
    # Bytes that hold no markup would be taken for an address and fetched.
    if len(data) > _MOST_OPML or b"<opml" not in data.lower():
        raise SettingsInvalid(f"{file} is not an OPML file.", "Export the subscriptions again.")
    if b"</opml" not in data.lower():  # the parser would keep the first feeds and say nothing
        raise SettingsInvalid(f"{file} is cut short.", "Export the subscriptions again.")
    outline = listparser.parse(data)
    feeds = [feed for feed in outline.feeds if urlsplit(feed.url).scheme in ("http", "https")]
    return [Source(name=feed.title.strip() or feed.url, url=feed.url) for feed in feeds]


def to_opml(sources: Iterable[Source]) -> str:
    """Return an OPML file of the feeds, releases among them; pages and X have no place in one."""
    feeds = [source for source in sources if source.kind in ("feed", "github")]
    lines = [
        f"    <outline type={quoteattr('rss')} text={quoteattr(source.name)} "
        f"xmlUrl={quoteattr(feed_url(source))}/>"
        for source in feeds
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n'
    title = "  <head><title>Third Shift</title></head>\n  <body>"
    return "\n".join([head + title, *lines, "  </body>\n</opml>\n"])


def feed_url(source: Source) -> str:
    """Return the address of the source's feed."""
    if source.kind == "github":
        return source.url.rstrip("/").removesuffix("/releases") + "/releases.atom"
    return source.url


def _source(file: Path, number: int, item: Any) -> Source:
    try:
        source = Source.model_validate(item)
    except ValidationError as error:
        name = item.get("name", number) if isinstance(item, dict) else number
        what = f"{file}, source {name}: {explained(error)}"
        raise SettingsInvalid(what, "The head of the file explains the keys.") from None
    return _placed(source, file)


def _placed(source: Source, file: Path) -> Source:
    """Return the source with its files where they are, seen from the list's folder."""
    changed = {"mirror": str((file.parent / source.mirror).resolve())} if source.mirror else {}
    if source.url.startswith("file:") and not source.url.startswith("file:///"):
        path = (file.parent / source.url.removeprefix("file:")).resolve()
        changed["url"] = path.as_uri()
    return source.model_copy(update=changed)


def _parts(url: str) -> tuple[str, str]:
    """Return an address's scheme and host; neither where it cannot be parsed."""
    try:
        parts = urlsplit(url)
    except ValueError:  # http://[
        return "", ""
    return parts.scheme, parts.hostname or ""


def _named_apart(source: Source, taken: set[str]) -> Source:
    """Return the source under a name that is not taken: commands call sources by name."""
    if source.name not in taken:
        return source
    host = urlsplit(source.url).hostname or source.kind
    names = (f"{source.name} ({host}{n})" for n in ["", *(f" {n}" for n in range(2, 9999))])
    return source.model_copy(update={"name": next(name for name in names if name not in taken)})


def _entry(source: Source) -> dict[str, Any]:
    return source.model_dump(mode="json", exclude_defaults=True) | {"kind": source.kind}


def _listed(document: Any) -> list[Any]:
    listed = document.get("sources") or []
    return list(listed) if isinstance(listed, list) else [listed]


def _read(file: Path) -> Any:
    """Return the list as it can be written again; by YAML 1.2, in which `no` is a word."""
    from ruamel.yaml.error import YAMLError

    try:
        return _yaml().load(file.read_text(encoding="utf-8")) or {}
    except (YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SettingsInvalid(f"{file} is not YAML: {reason}.", f"Mend it in {file}.") from None


def _write(document: Any, file: Path) -> None:
    written = StringIO()
    _yaml().dump(document, written)
    write_whole(file, written.getvalue(), durable=True)


def _yaml() -> Any:
    """Return the YAML that keeps comments and order."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    return yaml


def _head() -> str:
    """Return the explaining comment of the sample list, where the checkout has it."""
    sample = DATASETS / "sources.yaml"
    lines = sample.read_text(encoding="utf-8").splitlines() if sample.exists() else []
    return "".join(f"{line}\n" for line in lines if line.startswith("#"))
