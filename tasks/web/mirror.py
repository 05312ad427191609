"""Where a watched page lies: on the web, in a folder of saved pages, or on the disk."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tasks.web import fetch as web
from tasks.web.page import Limits, Page
from thirdshift.errors import DocumentUnreadable, LimitExceeded

_KINDS = {".rss": "application/rss+xml", ".atom": "application/atom+xml", ".xml": "text/xml"}
_KINDS |= {".json": "application/feed+json", ".html": "text/html", ".htm": "text/html"}


def read(
    url: str,
    *,
    mirror: str = "",
    etag: str = "",
    modified: str = "",
    headers: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Page:
    """Return what lies at a URL: from the disk where it is `file:` or saved in `mirror`.

    Whoever passes a `file:` address must have it from the owner's own list. Raises what
    `tasks.web.fetch` raises, and DocumentUnreadable for a file that is not there.
    """
    path = on_disk(url, mirror)
    if path is None:
        accept = "application/rss+xml, application/atom+xml, application/feed+json, */*;q=0.8"
        return web.fetch(
            url, etag=etag, modified=modified, accept=accept, headers=headers, limits=limits
        )
    return _file(url, path, etag, limits or Limits())


def on_disk(url: str, mirror: str) -> Path | None:
    """Return the file a URL stands for, where it is one or is saved in `mirror`."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if not mirror:
        return None
    folder = Path(mirror).resolve()
    saved = (folder / (parts.hostname or "-") / unquote(parts.path).strip("/")).resolve()
    for path in (saved, saved.with_name(saved.name + ".html"), saved / "index.html"):
        if path.is_relative_to(folder) and path.is_file():
            return path
    return None


def _file(url: str, path: Path, etag: str, limits: Limits) -> Page:
    try:
        stat = path.stat()
        if not path.is_file():
            raise DocumentUnreadable(f"{path} is not a file.", "Mend the address in sources.yaml.")
        if stat.st_size > limits.body_bytes:
            raise LimitExceeded(f"{path} has {stat.st_size / 1e6:.0f} MB.")
        mark = f'"{stat.st_mtime_ns}-{stat.st_size}"'
        headers = {"etag": mark, "content-type": _KINDS.get(path.suffix, "")}
        if etag == mark:
            return Page(asked=url, url=url, status=304, headers=headers)
        return Page(asked=url, url=url, status=200, headers=headers, body=path.read_bytes())
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}."
        raise DocumentUnreadable(what, "Mend the address in sources.yaml.") from error
