"""HTML to Markdown: the main text where there is one, else all that a reader sees."""

import logging
import re
from typing import Any

from tasks.pages.blocks import BLOCKS
from tasks.text import decoding

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_HEAD = 4096  # bytes in which a page names its encoding
_MAIN = (
    '//article | //main | //*[contains(@class, "content") or contains(@id, "content")'
    ' or contains(@class, "main") or contains(@id, "main") or @role="main"]'
)
_UNSEEN = {"head", "script", "style", "template", "noscript", "svg", "iframe", "object"}
KEPT = 0.25  # share of the visible text below which an extraction has lost the page
LONGEST = 500_000  # characters of visible text above which the extractor takes minutes
DEPTH = 200  # elements; the extractor recurses, so a deeper page is only read as visible text


def read_html(data: bytes) -> tuple[str, str]:
    """Return the text (Markdown) and the title of a page; the title may be empty."""
    return html_text(decoded(data))


def decoded(data: bytes, named: str = "") -> str:
    """Return a page's text: by the encoding it was sent with (`named`), else by its own word.

    Raises DocumentUnreadable where it is no text.
    """
    declared = _CHARSET.search(data[:_HEAD])
    return decoding.decode(data, named or (declared[1].decode("ascii") if declared else None))


def html_text(page: str) -> tuple[str, str]:
    """Return the text (Markdown) and the title of a decoded page."""
    tree = parsed(page)
    if tree is None:
        return "", ""
    title = " ".join((tree.findtext(".//title") or "").split())
    seen = visible(tree)
    small = len(seen) <= LONGEST and depth(tree) <= DEPTH
    text = _main_text(tree) if small else ""
    return (text if len(text) >= KEPT * len(seen) else seen), title


def parsed(page: str) -> Any | None:
    """Return the page as a tree of lxml, or None where there is nothing in it."""
    from lxml import etree, html

    # As bytes, since lxml refuses a str with an XML declaration; huge_tree is left off.
    parser = html.HTMLParser(encoding="utf-8")
    try:
        return html.document_fromstring(page.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError):  # nothing in it but comments or white space
        return None


def _main_text(tree: Any) -> str:
    import trafilatura
    from trafilatura.settings import use_config

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    config = use_config()
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", "1")  # short notes are pages too
    if not tree.xpath(_MAIN):
        _wrap(tree)
    try:
        text = trafilatura.extract(tree, output_format="markdown", favor_recall=True, config=config)
    except Exception:  # whatever it stumbles over, the visible text is still there
        return ""
    return text or ""


def _wrap(tree: Any) -> None:
    """Name the whole body the article: without one the extractor loses headings and lists."""
    body = tree.find("body")
    if body is not None:
        article = body.makeelement("article")
        article.text, body.text = body.text, None
        article.extend(list(body))
        body.append(article)


def depth(tree: Any) -> int:
    """Return how many elements lie within each other at most."""
    level = deepest = 0
    from lxml import etree

    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        level += 1 if event == "start" else -1
        deepest = max(deepest, level)
    return deepest


def visible(tree: Any) -> str:
    """Return all text that a reader sees, a line for each block."""
    from lxml import etree

    parts: list[str] = []
    walk = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        hidden = element.tag in _UNSEEN or not isinstance(element.tag, str)
        if event == "start" and hidden:
            walk.skip_subtree()
        if element.tag in BLOCKS:
            parts.append("\n")
        if event == "start" and not hidden:
            parts.append(re.sub(r"\s+", " ", element.text or ""))
        elif event != "start":
            parts.append(re.sub(r"\s+", " ", element.tail or ""))
    lines = (line.strip() for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)
