"""Notices go where the settings say, by Apprise for real; what fails is logged without address."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import keyring
import pytest

from tasks.runs.notices import notify
from tests.conftest import free_port
from tests.tasks.analysis.extraction.test_extract import Keys
from thirdshift.errors import SecretMissing

TITLE, BODY = "下書き: 梅雨の前に", "thirdshift drafts show abc123 ☕ <b> & [x]"


class Box(BaseHTTPRequestHandler):
    """Keeps what it is sent; /full refuses it."""

    got: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(json.loads(sent) | {"path": self.path})
        self.send_response(507 if self.path.startswith("/full") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def box() -> Iterator[str]:
    """Return the Apprise address of a server that keeps what it is sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Box)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Box.got.clear()
    yield f"json://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def urls(override: Callable[..., None]) -> Callable[..., None]:
    return lambda *named: override(NOTIFY__URLS=json.dumps(named))


@pytest.fixture
def keys() -> Iterator[dict[tuple[str, str], str]]:
    """Return what a keychain in memory holds."""
    before, held = keyring.get_keyring(), Keys()
    keyring.set_keyring(held)
    yield held.held
    keyring.set_keyring(before)


def got() -> list[tuple[str, str, str]]:
    return [(one["path"].strip("/"), one["title"], one["message"]) for one in Box.got]


def test_every_address_gets_title_and_body_as_they_are(box: str, urls: Callable[..., None]) -> None:
    urls(f"{box}/one", f"{box}/two")

    assert notify(TITLE, BODY)
    assert got() == [("one", TITLE, BODY), ("two", TITLE, BODY)]


@pytest.mark.parametrize(
    "failing", ["{box}/full?token=s3cret", "json://me:s3cret@127.0.0.1:{port}"]
)
def test_an_address_that_is_not_reached_is_logged_without_itself_and_stops_no_other(
    box: str, urls: Callable[..., None], caplog: pytest.LogCaptureFixture, failing: str
) -> None:
    urls(failing.format(box=box, port=free_port()), f"{box}/two")
    caplog.set_level(logging.INFO)

    assert not notify(TITLE, BODY)

    assert ("two", TITLE, BODY) in got()
    assert "Address 1 of notify.urls was not reached." in caplog.messages
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("nonsense", ["", "s3cret", "nosuch://s3cret", "json://", "keychain:odd"])
def test_what_is_no_address_is_one_that_is_not_reached(
    urls: Callable[..., None],
    keys: dict[tuple[str, str], str],
    caplog: pytest.LogCaptureFixture,
    nonsense: str,
) -> None:
    keys["thirdshift", "odd"] = "nosuch://s3cret"
    urls(nonsense)
    caplog.set_level(logging.INFO)

    assert not notify(TITLE, BODY)

    assert "Address 1 of notify.urls was not reached." in caplog.messages
    assert "s3cret" not in caplog.text


def test_an_address_comes_from_the_keychain(
    box: str, urls: Callable[..., None], keys: dict[tuple[str, str], str]
) -> None:
    keys["thirdshift", "phone"] = f"{box}/phone"
    urls("keychain:phone")

    assert notify(TITLE, BODY)
    assert got() == [("phone", TITLE, BODY)]


def test_a_name_that_the_keychain_lacks_is_an_error_that_says_how_to_set_it(
    urls: Callable[..., None], keys: dict[tuple[str, str], str]
) -> None:
    urls("keychain:phone")

    with pytest.raises(SecretMissing, match="keyring set thirdshift phone"):
        notify(TITLE, BODY)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS shows it on the desktop")
def test_without_addresses_nothing_is_sent(box: str, caplog: pytest.LogCaptureFixture) -> None:
    assert notify(TITLE, BODY)
    assert got() == [] and caplog.messages == []
