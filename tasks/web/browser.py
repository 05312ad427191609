"""Headless browser: pages that are nothing without their scripts, rendered by Chromium.

The browser has no network of its own: every request it makes is fetched by tasks.web, under
the same refusals and limits, and handed to it; what cannot be handed over (sockets, WebRTC,
prefetching) meets a dead proxy and names that do not resolve.
"""

import asyncio
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import platformdirs

from tasks.web import fetch as web
from tasks.web.page import Limits, Page
from thirdshift.errors import BrowserMissing, LimitExceeded, ThirdShiftError
from thirdshift.records import now
from thirdshift.settings import settings

SECONDS = 30.0  # for the whole page
REQUESTS = 200
BYTES = 30_000_000  # of all it loads, unpacked
_CALM = 0.5  # seconds without a request or a change of text: it is done
_PATIENCE = 12.0  # seconds after which a page that never rests is taken as it is

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_APPLICATIONS = ("Google Chrome", "Chromium", "Microsoft Edge", "Brave Browser")
_ARGUMENTS = [
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-background-networking",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--js-flags=--max-old-space-size=512",
]
_DEAD: Any = {"server": "http://127.0.0.1:1", "bypass": "<-loopback>"}
_LOOKS = {"image", "media", "font"}  # nothing to read in them
_PER_HOP = {"content-encoding", "content-length", "transfer-encoding", "set-cookie", "connection"}

_rendering = ThreadPoolExecutor(1, thread_name_prefix="browser")


def render(page: Page) -> Page:
    """Return the page as its scripts make it; its body is the rendered HTML.

    Raises BrowserMissing where there is no Chromium, or web.browser is off; LimitExceeded
    where the page takes more than 30 s or becomes too large.
    """
    executable = find()
    html = _rendering.submit(asyncio.run, _rendered(page, executable)).result()
    body = html.encode("utf-8", "replace")
    if len(body) > Limits().body_bytes:
        raise LimitExceeded(f"{page.url} makes {len(body):,} bytes of itself.")
    headers = {**page.headers, "content-type": "text/html; charset=utf-8"}
    fields = {"headers": headers, "body": body, "rendered": True, "fetched_at": now()}
    return Page.model_validate(page.model_dump() | fields)


def find() -> Path:
    """Return the Chromium to use; raise BrowserMissing with what installs one."""
    wished = settings().web.browser
    if wished == "off":
        raise BrowserMissing("Pages that need scripts are not read: web.browser is off.")
    candidates = [Path(wished)] if wished else _candidates()
    for path in candidates:
        if path.is_file() and os.access(path, os.X_OK):
            return path
    reason = f"{wished} is no program" if wished else "No Chromium or Chrome was found"
    install = "playwright install chromium" if sys.platform == "darwin" else "apt install chromium"
    raise BrowserMissing(f"{reason}; pages that need scripts cannot be read.", f"`{install}`")


def _candidates() -> list[Path]:
    named = [Path(program) for name in _NAMES if (program := shutil.which(name))]
    for application in _APPLICATIONS:
        named.append(Path(f"/Applications/{application}.app/Contents/MacOS/{application}"))
    playwrights = platformdirs.user_cache_path("ms-playwright")
    inside = ("chrome-*/chrome", "chrome-*/*.app/Contents/MacOS/*")
    return [*named, *(path for way in inside for path in playwrights.glob(f"chromium-*/{way}"))]


async def _rendered(page: Page, executable: Path) -> str:
    from playwright.async_api import Error, async_playwright

    try:
        async with asyncio.timeout(SECONDS), async_playwright() as playwright:
            chromium = await playwright.chromium.launch(
                executable_path=executable,
                args=_ARGUMENTS,
                proxy=_DEAD,
                chromium_sandbox=os.geteuid() != 0,  # root's has none: Chromium refuses it
            )
            try:
                return await _shown(await _context(chromium), page)
            finally:
                await chromium.close()
    except TimeoutError:
        raise LimitExceeded(f"{page.url} took its browser more than {SECONDS:g} s.") from None
    except Error as error:
        reason = error.message.strip().split("\n", 1)[0]
        raise BrowserMissing(f"{executable} could not show {page.url}: {reason}") from None


async def _context(chromium: Any) -> Any:
    return await chromium.new_context(
        user_agent=settings().web.user_agent,
        accept_downloads=False,
        service_workers="block",
        java_script_enabled=True,
        viewport={"width": 1280, "height": 4000},  # tall, for what loads when it is scrolled to
    )


async def _shown(context: Any, page: Page) -> str:
    """Return the page's HTML once it rests, or after _PATIENCE."""
    supply = Supply(page)
    await context.route("**/*", supply.answer)
    await context.route_web_socket("**/*", lambda socket: socket.close())
    tab = await context.new_page()
    context.on("page", lambda other: asyncio.ensure_future(other.close()))
    await tab.goto(page.url, wait_until="commit")
    end, before, changed = monotonic() + _PATIENCE, "", monotonic()
    while monotonic() < end and monotonic() - max(changed, supply.last_request) < _CALM:
        html = await tab.content()
        if html != before or supply.under_way:
            before, changed = html, monotonic()
        await asyncio.sleep(0.1)
    return before


class Supply:
    """What a page in the browser may load, fetched for it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._requests, self._bytes = 0, 0
        self.under_way, self.last_request = 0, monotonic()

    async def answer(self, route: Any) -> None:
        """Hand over what the browser asks for, or refuse it."""
        request = route.request
        self._requests += 1
        if request.url == self._page.url and request.is_navigation_request():
            await _fulfill(route, self._page)
        elif request.resource_type == "stylesheet":
            await route.fulfill(status=200, content_type="text/css", body="")
        elif not self._may(request):
            await route.abort("blockedbyclient")
        else:
            await self._fetch(route)
        self.last_request = monotonic()

    def _may(self, request: Any) -> bool:
        within = self._requests <= REQUESTS and self._bytes < BYTES
        return within and request.method == "GET" and request.resource_type not in _LOOKS

    async def _fetch(self, route: Any) -> None:
        limits = Limits(seconds=10, silence=5, body_bytes=max(1, BYTES - self._bytes), tries=1)
        accept = route.request.headers.get("accept", "*/*")
        url, found_on = route.request.url, self._page.url
        self.under_way += 1
        try:
            page = await asyncio.to_thread(
                web.fetch, url, accept=accept, limits=limits, delay=0, found_on=found_on
            )
        except ThirdShiftError:
            await route.abort("failed")
            return
        finally:
            self.under_way -= 1
        self._bytes += len(page.body)
        await _fulfill(route, page)


async def _fulfill(route: Any, page: Page) -> None:
    headers = {name: value for name, value in page.headers.items() if name not in _PER_HOP}
    await route.fulfill(status=page.status, headers=headers, body=page.body)
