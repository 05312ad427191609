"""Main content extraction: the text a reader came for, without what surrounds it.

An extractor says *where* the text is; *what* it is, is then read from the page itself, since
extractors lose lists, code and short paragraphs. Threads of forums are read post by post. Where
boosted trees (`tasks.pages.classifier`) see another text than these rules, as they do on shelves of
shops, lists and pages that sell, theirs is taken.
"""

import copy
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tasks.pages import about, boilerplate, classifier, markup, threads
from tasks.pages.blocks import (
    Block,
    Element,
    blocks,
    body_of,
    is_hidden,
    named,
    remove,
    squeezed,
)

ENOUGH = 12  # bytes of a block that are taken for evidence
# Chosen by failures on three sets: docs/log.md, 2026-11-24, Main text of pages.
_SHARE = 0.9  # of the known text that the smallest element around it holds
_MOST = 0.5  # of the text, that an element named as its body must hold to be believed
_POOR = 250  # characters of text below which scripts may be what is missing
_BODY = re.compile(
    r"(?:^|\s)(?:main[-_]text|entry-content|post-?content|post-?body|article-?(?:body|content|text)"
    r"|article_body|story-?body|markdown-body|mw-parser-output|e-content|body-?text|theme-doc-markdown)(?:$|\s)"
)
_ROOTS = {"root", "app", "__next", "__nuxt", "svelte", "main-app", "react-root", "q-app"}
_ASKS = re.compile(
    r"enable javascript|requires javascript|javascript.{0,12}(?:有効|オン)", re.IGNORECASE
)


def main_text(html: str, url: str = "") -> str:
    """Return the main text of a page as plain text, a line for each block.

    The title is left out, and captions, comments and all that leads away. The text of a page
    without any is empty; one longer than a book is all that a reader sees.
    """
    return main_text_of(markup.parsed(html), url)


def main_text_of(tree: Element | None, url: str) -> str:
    """Return the main text of a parsed page, which is taken apart for it."""
    if tree is None:
        return ""
    unveil(tree)
    seen = markup.visible(tree)
    if len(seen) > markup.LONGEST or markup.depth(tree) > markup.DEPTH:
        return seen
    ruled = by_rules(copy.deepcopy(tree), url)
    if ruled and ruled == _stated(tree):
        return ruled
    return classifier.chosen(body_of(tree), about.about(tree, url), ruled)


def needs_browser(tree: Element | None) -> bool:
    """Tell whether a page shows next to nothing until its scripts have run."""
    if tree is None or not tree.xpath("//script[@src or string-length() > 40]"):
        return False
    seen = len(markup.visible(tree))
    if seen >= 4 * _POOR or markup.depth(tree) > markup.DEPTH:
        return False
    roots = [element for element in tree.iter("div") if element.get("id") in _ROOTS]
    empty = any(not "".join(root.itertext()).strip() for root in roots)
    asked = any(_ASKS.search("".join(element.itertext())) for element in tree.iter("noscript"))
    if not (empty or asked or seen < _POOR):
        return False
    copied = copy.deepcopy(tree)
    unveil(copied)
    return len(by_rules(copied, "")) < _POOR / 2


def by_rules(tree: Element, url: str) -> str:
    """Return the text as the extractor and the world's templates have it."""
    if posts := threads.posts(tree, url):
        return "\n\n".join(posts)
    stated = _stated(tree)
    _drop_unseen(body_of(tree))
    known = max(_extracted(tree), stated, key=len)
    text = _around(tree, known) or known
    return stated if len(stated) > 2 * len(text) else text


def unveil(tree: Element) -> None:
    """Show what is for readers without scripts, where that is most of the page."""
    hidden = list(tree.iter("noscript"))
    size = sum(len(squeezed("".join(element.itertext()))) for element in hidden)
    if size > len(squeezed(markup.visible(tree))):
        for element in hidden:
            element.tag = "div"


def _drop_unseen(body: Element) -> None:
    """Take away scripts, ruby annotations and what is hidden, unless that is the page itself."""
    whole = len("".join(body.itertext())) or 1
    remove(body.iter("rt", "rp", "script", "style", "noscript", "template"))
    hidden = [e for e in body.iter() if isinstance(e.tag, str) and e is not body and is_hidden(e)]
    remove([e for e in hidden if len("".join(e.itertext())) < whole / 2])


def _extracted(tree: Element) -> str:
    import trafilatura
    from trafilatura.settings import use_config

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    config = use_config()
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", "1")
    try:
        text: str | None = trafilatura.extract(
            copy.deepcopy(tree), include_comments=False, config=config
        )
    except Exception:  # whatever it stumbles over, the page is then read without it
        return ""
    return text or ""


def _stated(tree: Element) -> str:
    """Return the whole text that a page states in its JSON-LD, if it does."""
    bodies = [""]
    for script in tree.xpath('//script[@type="application/ld+json"]'):
        try:
            document = json.loads(script.text or "", strict=False)
        except (ValueError, RecursionError):
            continue
        graph = document.get("@graph", document) if isinstance(document, dict) else document
        things = graph if isinstance(graph, list) else [graph]
        bodies += [str(t.get("articleBody", "")) for t in things if isinstance(t, dict)]
    longest = max(bodies, key=len)
    return "" if longest.rstrip().endswith(("...", "…")) or "<" in longest else longest


def _around(tree: Element, known: str) -> str:
    """Return the blocks of the smallest element around the known text, less what leads away."""
    body = body_of(tree)
    held = _held(body, known)
    boilerplate.prune(body, held)
    root = _smallest(body, _held(body, known)) if held else body
    declared = _declared(root)
    root = root if declared is None else declared
    text = _without_surroundings(blocks(root), root, boilerplate.title_of(tree))
    return "\n".join(block.text for block in text)


def _held(root: Element, known: str) -> dict[Element, int]:
    """Return how much of the known text each element holds, in bytes."""
    whole, held = squeezed(known), Counter[Any]()
    for block in blocks(root):
        bare = squeezed(block.text)
        size = len(bare.encode("utf-8", "replace"))
        if size >= ENOUGH and bare in whole:
            for outer in (block.element, *block.element.iterancestors()):
                held[outer] += size
    return held


def _smallest(root: Element, held: dict[Element, int]) -> Element:
    most = held.get(root, 0)
    while True:
        inner = [child for child in root if held.get(child, 0) >= _SHARE * most]
        if not most or not inner or inner[0].tag in ("p", "h1", "h2", "pre"):
            return root
        root = inner[0]


def _declared(root: Element) -> Element | None:
    """Return the one element that the template itself calls the text, if it has most of it."""
    declared = [e for e in root.iter() if isinstance(e.tag, str) and _is_declared(e)]
    outer = [e for e in declared if not any(_is_declared(above) for above in e.iterancestors())]
    if len(outer) != 1:
        return None
    share = len(squeezed("".join(outer[0].itertext()))) / (
        len(squeezed("".join(root.itertext()))) or 1
    )
    return outer[0] if share >= _MOST else None


def _is_declared(element: Element) -> bool:
    return element.get("itemprop") == "articleBody" or bool(_BODY.search(named(element)))


def _without_surroundings(listed: list[Block], root: Element, titles: set[str]) -> Iterator[Block]:
    """Yield the blocks of the text: without titles, notices, and what "Related" stands above."""
    away: Element | None = None
    for block in listed:
        if away is not None and _within(block.element, away):
            continue
        away = None
        if boilerplate.ends_text(block):
            away = block.element.getparent() if block.element is not root else None
        elif not (boilerplate.leads_away(block) or squeezed(block.text) in titles):
            yield block


def _within(element: Element, outer: Element) -> bool:
    return element is outer or any(above is outer for above in element.iterancestors())
