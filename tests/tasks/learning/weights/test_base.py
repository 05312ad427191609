"""The weights that are trained on: the served file's own, a folder's, a hub's; never another's."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from tasks.learning.weights.base import base_weights
from tasks.learning.weights.conversion import mlx_folder
from tests.tasks import tiny
from thirdshift.errors import ModelMissing, ModelUnsupported, RuntimeUnavailable

pytestmark = pytest.mark.slow

SHA = 20 * "c0"


class Hub(BaseHTTPRequestHandler):
    """A model hub with one repository, `someone/tiny`: the files of a folder."""

    folder: ClassVar[Path]
    sent: ClassVar[list[str]]

    def do_GET(self) -> None:
        place = self.path.partition("?")[0]
        files = sorted(self.folder.iterdir())
        if place.startswith("/api/models/someone/tiny/tree/"):
            listed = [
                {"type": "file", "path": one.name, "size": one.stat().st_size, "oid": one.name}
                for one in files
            ]
            self._send(json.dumps(listed).encode())
        elif place.startswith("/api/models/someone/tiny"):
            names = [{"rfilename": one.name} for one in files]
            self._send(json.dumps({"id": "someone/tiny", "sha": SHA, "siblings": names}).encode())
        elif place.startswith("/someone/tiny/resolve/"):
            data = (self.folder / place.rpartition("/")[2]).read_bytes()
            if self.command == "GET":
                self.sent.append(place.rpartition("/")[2])
            self._send(data, {"ETag": hashlib.sha256(data).hexdigest(), "X-Repo-Commit": SHA})
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()

    do_HEAD = do_GET

    def _send(self, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(200)
        for name, value in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def served(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "tiny.gguf", "llama")


@pytest.fixture
def precise(served: Path, tmp_path: Path) -> Path:
    """Return an MLX folder of the same model, as somebody else made it."""
    return Path(shutil.copytree(mlx_folder(served), tmp_path / "precise"))


@pytest.fixture
def hub(precise: Path, override: Callable[..., None]) -> Iterator[type[Hub]]:
    kind = type("OneHub", (Hub,), {"folder": precise, "sent": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    Thread(target=server.serve_forever, daemon=True).start()
    override(MODELS__HUB_URL=f"http://127.0.0.1:{server.server_port}")
    yield kind
    server.shutdown()
    server.server_close()


def test_the_served_files_own_weights_are_the_default(served: Path) -> None:
    assert base_weights(served) == mlx_folder(served)


def test_a_folder_of_the_same_model_is_taken(
    served: Path, precise: Path, override: Callable[..., None]
) -> None:
    override(LEARNING__BASE_WEIGHTS=precise)

    assert base_weights(served) == precise


def test_another_model_is_refused_by_what_differs(
    served: Path, precise: Path, override: Callable[..., None]
) -> None:
    config = json.loads((precise / "config.json").read_text())
    (precise / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 7}))
    override(LEARNING__BASE_WEIGHTS=precise)

    with pytest.raises(ModelUnsupported, match="its num_hidden_layers is 7, not 2"):
        base_weights(served)


def test_a_repository_of_the_hub_is_fetched_once(
    served: Path, hub: type[Hub], override: Callable[..., None]
) -> None:
    override(LEARNING__BASE_WEIGHTS="someone/tiny")

    first = base_weights(served)
    sent = len(hub.sent)

    assert (first / "config.json").read_bytes() == (hub.folder / "config.json").read_bytes()
    assert base_weights(served) == first
    assert len(hub.sent) == sent > 2


def test_without_the_hub_what_was_fetched_whole_serves(
    served: Path, hub: type[Hub], override: Callable[..., None]
) -> None:
    override(LEARNING__BASE_WEIGHTS="someone/tiny")
    first = base_weights(served)
    override(MODELS__HUB_URL="http://127.0.0.1:9")

    assert base_weights(served) == first
    (first / ".whole").unlink()
    (first / "config.json").unlink()
    with pytest.raises(RuntimeUnavailable, match="someone/tiny could not be fetched"):
        base_weights(served)


@pytest.mark.parametrize("name", ["no/such", "not a name", "/no/folder"])
def test_what_is_nowhere_is_named_with_its_remedy(
    served: Path, hub: type[Hub], override: Callable[..., None], name: str
) -> None:
    override(LEARNING__BASE_WEIGHTS=name)

    with pytest.raises(ModelMissing, match=name) as told:
        base_weights(served)
    assert "learning.base_weights" in str(told.value)
