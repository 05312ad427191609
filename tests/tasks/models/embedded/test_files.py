"""GGUF files: headers, estimates, publishing and resumable downloads, from a server of ours."""

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.models.embedded import files as gguf_files
from tasks.models.embedded.files import (
    base_file,
    built_in,
    publish,
    published,
)
from tasks.models.gguf_layout import cache_bytes, header
from thirdshift.errors import ModelMissing, RuntimeUnavailable, SettingsInvalid
from thirdshift.settings import settings

HUB = "owner/repository:model.gguf"


class Hub(http.server.BaseHTTPRequestHandler):
    """A model hub that knows ranges, and breaks off after `cut` bytes while `cut` is set."""

    asked: list[str]
    cut: int

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        type(self).asked.append(self.headers.get("Range", ""))
        if self.path != "/owner/repository/resolve/main/model.gguf":
            return self.send_error(404)
        body = built_in().read_bytes()
        if start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            return self.end_headers()
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        self.wfile.write(body[start : self.cut or None])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(override: Callable[..., None]) -> Iterator[type[Hub]]:
    """Serve a hub and point the settings at it."""

    class Fresh(Hub):
        asked = []  # noqa: RUF012 - each hub is a class of its own
        cut = 0

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fresh) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        override(MODELS__HUB=HUB, MODELS__HUB_URL=f"http://127.0.0.1:{server.server_port}")
        yield Fresh
        server.shutdown()


def test_a_header_tells_the_architecture_without_the_vocabulary() -> None:
    info = header(built_in())

    assert info["general.architecture"] == "llama"
    assert info["llama.block_count"] == 30
    assert not [key for key in info if key.startswith("tokenizer.")]


def test_the_cache_is_two_bytes_for_each_layer_head_and_width() -> None:
    layers, heads, width = 30, 3, 64

    assert cache_bytes(header(built_in()), 100) == 100 * layers * heads * (width + width) * 2


def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(b"<html>")

    with pytest.raises(ModelMissing, match="not a GGUF"):
        publish("ours:v1", file)


def test_a_cut_header_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(built_in().read_bytes()[:60])

    with pytest.raises(ModelMissing, match="damaged"):
        header(file)


def test_every_published_version_is_kept_under_its_name(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(built_in().read_bytes() + b"\0")

    first, second = publish("ours:v1", built_in()), publish("ours:v2", other)

    assert published("ours:v1") == first
    assert published("ours:v2") == second
    assert published("ours:v3") is None
    assert second.read_bytes() == other.read_bytes()


def test_a_name_cannot_leave_the_models_folder() -> None:
    file = publish("../../evil:v1", built_in())

    assert file.parent == settings().models_path


def test_a_model_of_the_hub_is_fetched_once(hub: type[Hub]) -> None:
    assert base_file().read_bytes() == built_in().read_bytes()
    assert base_file() == base_file()
    assert len(hub.asked) == 1


def test_a_broken_download_resumes_where_it_broke(hub: type[Hub]) -> None:
    hub.cut = 5 << 20  # bytes
    with pytest.raises(RuntimeUnavailable, match="resumes"):
        base_file()
    hub.cut = 0

    file = base_file()

    assert file.read_bytes() == built_in().read_bytes()
    assert hub.asked == ["bytes=0-", f"bytes={5 << 20}-"]


def test_a_download_that_was_whole_but_not_renamed_is_taken(hub: type[Hub]) -> None:
    target = settings().models_path / "owner/repository/model.part"
    target.parent.mkdir(parents=True)
    target.write_bytes(built_in().read_bytes())

    assert base_file().name == "model.gguf"


def test_a_model_the_hub_has_not_is_named(hub: type[Hub], override: Callable[..., None]) -> None:
    override(MODELS__HUB="owner/repository:other.gguf")

    with pytest.raises(ModelMissing, match=r"other\.gguf"):
        base_file()


@pytest.mark.parametrize("hub_name", ["model.gguf", "a/b:c.bin", "a/b:../../c.gguf"])
def test_a_malformed_hub_name_is_refused(hub_name: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"owner/repository:file\.gguf"):
        gguf_files.download(hub_name)


def test_a_missing_gguf_names_the_setting(override: Callable[..., None]) -> None:
    override(MODELS__GGUF="/nowhere/model.gguf")

    with pytest.raises(ModelMissing, match=r"models\.gguf"):
        base_file()
