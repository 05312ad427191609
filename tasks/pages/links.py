"""Links: where a page leads, as absolute addresses that may be followed."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from tasks.pages.blocks import Element, attribute, words_of
from thirdshift.records import Record

_NO_PAGES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".gif",
    ".webp",
    ".svg",
    ".zip",
    ".mp4",
    ".mp3",
    ".css",
    ".js",
)


class Link(Record):
    """A link in a page, absolute and without fragment."""

    url: str
    href: str  # as the page writes it
    texts: tuple[str, ...]  # of all its anchors, in order; of images they are empty

    @property
    def text(self) -> str:
        """The first text that says something."""
        return next(filter(None, self.texts), "")


def links_of(tree: Element | None, url: str) -> list[Link]:
    """Return the links to other pages, in order, each address once; those marked nofollow not.

    <a href="/burrs"><img></a> <a href="/burrs#top">New burrs</a> <a href="a.png">A</a>
    -> [Link(url="https://x.example/burrs", href="/burrs", texts=("", "New burrs"))]
    """
    anchors: dict[str, list[Element]] = {}
    for target, anchor in _targets(tree, url) if tree is not None else ():
        anchors.setdefault(target, []).append(anchor)
    return [
        Link(url=target, href=attribute(same[0], "href"), texts=tuple(map(words_of, same)))
        for target, same in anchors.items()
    ]


def _targets(tree: Element, url: str) -> Iterator[tuple[str, Element]]:
    """Yield the address of each anchor that leads to another page, and the anchor."""
    base, here = attribute(tree.find(".//base"), "href"), urldefrag(url)[0]
    for anchor in tree.iter("a"):
        if anchor.get("href") is None or "nofollow" in attribute(anchor, "rel").split():
            continue
        target = urldefrag(address(attribute(anchor, "href"), url, base))[0]
        if target and target != here and not urlsplit(target).path.lower().endswith(_NO_PAGES):
            yield target, anchor


def address(href: str, url: str, base: str = "") -> str:
    """Return a link of what lies at `url` as an absolute address, or nothing.

    Followed may be what is on the web; from a file also files in its folder and below, wherever
    the page's own `base` points.
    """
    try:
        target = urljoin(urljoin(url, base), href.strip())
        parts = urlsplit(target)
    except ValueError:  # http://[broken
        return ""
    if parts.scheme == "file":
        return target if _is_beside(target, url) else ""
    return target if parts.scheme in ("http", "https") and parts.hostname else ""


def _is_beside(target: str, url: str) -> bool:
    """Tell whether both are files, the first in the other's folder or below."""
    if not url.startswith("file:///") or not target.startswith("file:///"):
        return False
    file, page = (Path(unquote(urlsplit(address).path)).resolve() for address in (target, url))
    return file.is_relative_to(page.parent)
