"""HTTP cache: pages that were fetched, on disk, each with where it came from and when."""

import gzip
import zlib
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from tasks.machine.disk import write_whole
from tasks.web.page import Page
from thirdshift.records import content_hash, now
from thirdshift.settings import settings


def load(url: str, max_age: timedelta | None = None) -> Page | None:
    """Return the page kept for the URL, unless it is older than `max_age`."""
    path = _path(url)
    try:
        page = Page.model_validate_json(gzip.decompress(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, EOFError, zlib.error, ValidationError):
        path.unlink(missing_ok=True)  # cut short, or of another version: it is fetched again
        return None
    return page if max_age is None or now() - page.fetched_at <= max_age else None


def save(page: Page) -> None:
    """Keep the page under the URL that was asked for; it is there whole or not at all."""
    write_whole(_path(page.asked), gzip.compress(page.model_dump_json().encode(), 5))


def prune() -> int:
    """Remove the oldest pages above web.cache_mb; return how many went."""
    files = (settings().web_path / "pages").glob("*.json.gz")
    pages = sorted(((path.stat().st_mtime, path) for path in files), reverse=True)
    left, removed = settings().web.cache_mb * 1e6, 0
    for _, path in pages:
        left -= path.stat().st_size
        if left < 0:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _path(url: str) -> Path:
    return settings().web_path / "pages" / f"{content_hash(url)}.json.gz"
