"""Segmentation: a page as elements and blocks of text, as they stand together on the screen."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

Element = Any  # lxml has no types


class Block(NamedTuple):
    """A stretch of text, the element that holds it, and its shares in links and buttons, 0..1."""

    element: Element
    text: str
    links: float = 0.0
    buttons: float = 0.0


BLOCKS = frozenset(
    "address article aside blockquote body br caption dd details div dl dt fieldset figcaption"  # noqa: SIM905
    " figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table"
    " tbody td tfoot th thead tr ul".split()
)
_WORDLESS = frozenset(("script", "style", "template", "rt", "rp"))
_COUNTED = ("a", "button")
UNSEEN = frozenset(
    "head script style template noscript svg iframe object button select textarea input canvas"  # noqa: SIM905
    " audio video dialog rt rp amp-ad amp-sidebar amp-consent".split()
)


def body_of(tree: Element) -> Element:
    """Return the body of a parsed page, or the page where it has none."""
    body = tree.find("body")
    return tree if body is None else body


def named(element: Element) -> str:
    """Return the classes and the id of an element."""
    return f"{element.get('class') or ''} {element.get('id') or ''}"


def attribute(element: Element | None, name: str) -> str:
    """Return an attribute, or nothing where there is no such element or attribute."""
    return "" if element is None else (element.get(name) or "").strip()


def words_of(element: Element | None) -> str:
    """Return the words in an element, single blanks between them; scripts and ruby have none."""
    return "" if element is None else " ".join(" ".join(_texts(element)).split())


def _texts(element: Element) -> Iterator[str]:
    from lxml import etree

    walk = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
    for event, inner in walk:  # not recursion: elements may be nested deeper than Python's stack
        if event != "start":
            yield inner.tail or "" if inner is not element else ""
        elif inner.tag in _WORDLESS:
            walk.skip_subtree()
        else:
            yield inner.text or ""


def is_hidden(element: Element) -> bool:
    """Tell whether the mark-up itself hides the element."""
    style = (element.get("style") or "").replace(" ", "").lower()
    hidden = element.get("hidden") is not None or element.get("aria-hidden") == "true"
    return hidden or "display:none" in style or "visibility:hidden" in style


def remove(elements: Iterator[Element] | list[Element]) -> None:
    """Take elements out of their tree; the text after them stays."""
    for element in list(elements):
        parent, before = element.getparent(), element.getprevious()
        if parent is None:
            continue
        if element.tail and before is not None:
            before.tail = (before.tail or "") + element.tail
        elif element.tail:
            parent.text = (parent.text or "") + element.tail
        element.tail = None
        parent.remove(element)


def blocks(root: Element) -> list[Block]:
    """Return the blocks of text below an element in reading order; `pre` keeps its lines.

    <div>Hello <b>you</b><p>Text</p>bye</div>  ->  "Hello you", "Text", "bye"
    """
    reader = _Reader(root)
    reader.walk(root)
    reader.close()
    return reader.blocks


class _Reader:
    """Walks a tree and gathers text until a block begins or ends."""

    def __init__(self, root: Element) -> None:
        self.blocks: list[Block] = []
        self._owners = [root]
        self._parts: list[str] = []
        self._within = dict.fromkeys(_COUNTED, 0)  # letters in links and in buttons
        self._open = dict.fromkeys(_COUNTED, 0)

    def close(self) -> None:
        text = " ".join("".join(self._parts).split())
        if text:
            size = len(squeezed(text)) or 1
            shares = (min(1.0, self._within[tag] / size) for tag in _COUNTED)
            self.blocks.append(Block(self._owners[-1], text, *shares))
        self._parts, self._within = [], dict.fromkeys(_COUNTED, 0)

    def walk(self, element: Element) -> None:
        if element.tag == "pre":
            self._code(element)
            return
        block, counted = element.tag in BLOCKS, element.tag in _COUNTED
        if block:
            self.close()
            self._owners.append(element)
        if counted:
            self._open[element.tag] += 1
        self._say(element.text)
        for child in element:
            if isinstance(child.tag, str):
                self.walk(child)
            self._say(child.tail)
        if counted:
            self._open[element.tag] -= 1
        if block:
            self.close()
            self._owners.pop()

    def _say(self, text: str | None) -> None:
        self._parts.append(text or "")
        for tag in _COUNTED:
            if text and self._open[tag]:
                self._within[tag] += len(squeezed(text))

    def _code(self, element: Element) -> None:
        self.close()
        if code := "".join(element.itertext()).strip("\n"):
            self.blocks.append(Block(element, code))


def squeezed(text: str) -> str:
    """Return letters and digits only: what two renderings of one text have in common."""
    return re.sub(r"\W+", "", text)
