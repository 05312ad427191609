"""File type detection: which files we read, and as what, by suffix, then by first bytes."""

import stat
from pathlib import Path

from tasks.text import decoding
from thirdshift.errors import DocumentUnreadable

SNIFFED = 4096  # bytes
KINDS = {
    "pdf": ".pdf",
    "html": ".html .htm .xhtml .xml .rss .atom",
    "markdown": ".md .markdown .mdx .mkd",
    "docx": ".docx .docm",
    "mail": ".eml .mbox .mbx",
    "text": ".txt .text .log .json .yaml .yml .toml .ini .cfg .conf"
    " .rst .org .adoc .tex .bib .srt .vtt .ics .vcf",
}
LANGUAGES = {
    "python": ".py .pyi",
    "javascript": ".js .jsx .mjs .cjs",
    "typescript": ".ts .mts .cts",
    "tsx": ".tsx",
    "go": ".go",
    "rust": ".rs",
    "java": ".java",
    "c": ".c .h",
    "cpp": ".cpp .cc .cxx .hpp .hh .hxx",
    "swift": ".swift",
    "kotlin": ".kt .kts",
    "ruby": ".rb",
    "php": ".php",
    "csharp": ".cs",
    "shell": ".sh .bash .zsh .fish",
    "sql": ".sql",
    "lua": ".lua",
    "r": ".r",
    "julia": ".jl",
    "scala": ".scala",
    "dart": ".dart",
    "haskell": ".hs",
    "css": ".css .scss",
}
# Text to the eye of a sniffer, but markup, keys or generated data that nobody wants recalled;
# tables are for analyses: as chunks they are numbers without meaning that match anything.
UNREAD = {".svg", ".ipynb", ".map", ".rtf", ".ps", ".eps", ".lock", ".pem", ".key", ".crt", ".asc"}
UNREAD |= {".csv", ".tsv", ".jsonl"}

_KIND = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes.split()}
_LANGUAGE = {suffix: name for name, suffixes in LANGUAGES.items() for suffix in suffixes.split()}
_CONTAINERS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"{\\rtf", b"-----BEGIN ")


def kind_of(path: Path) -> str | None:
    """Return the kind of a file as in `Extract.kind`, or None for one we do not read.

    Raises OSError where the suffix says nothing and the file cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix in UNREAD:
        return None
    if suffix in _LANGUAGE:
        return "code"
    return _KIND.get(suffix) or _sniff(path)


def language_of(path: Path) -> str:
    """Return the programming language a suffix stands for, or an empty string."""
    return _LANGUAGE.get(path.suffix.lower(), "")


def _sniff(path: Path) -> str | None:
    # Opening a FIFO waits for a writer, opening a device may do anything.
    if not stat.S_ISREG(path.stat().st_mode):
        return None
    with path.open("rb") as file:
        head = file.read(SNIFFED)
    return _kind_of_bytes(head)


def _kind_of_bytes(head: bytes) -> str | None:
    if head.startswith(b"%PDF-"):
        return "pdf"
    if head.startswith(b"PK\x03\x04") and b"word/" in head:
        return "docx"
    if head.startswith(_CONTAINERS):
        return None
    if head.startswith(b"From ") and b"\nFrom: " in head:
        return "mail"
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "html"
    try:
        decoding.decode(head)
    except DocumentUnreadable:
        return None
    return "text"
