"""PDF to text: pages in order, soft line breaks joined, scans told apart from empty files."""

import re
import threading
import unicodedata
from typing import Any

from thirdshift.errors import DocumentUnreadable

_ONE_AT_A_TIME = threading.Lock()  # PDFium is not safe to call from two threads
_LIST_MARK = re.compile(r"\s*([-*•・●○■□◆※]|[\(（]?\d{1,3}[.)）、．]|第\d+[章条節]|[①-⑳])")
_POOR_TITLE = re.compile(r"^(untitled|microsoft word - .*|.*\.(docx?|indd|tex|rtf|pdf))?$", re.I)
FULL = 0.75  # share of a page's line width at which a line end is a wrap, not a full stop


def read_pdf(data: bytes) -> tuple[str, str]:
    """Return the text (pages separated by a blank line) and the title, which may be empty.

    Raises DocumentUnreadable for an encrypted, damaged, truncated or scanned file.
    """
    with _ONE_AT_A_TIME:
        pages, title = _pages(data)
    text = "\n\n".join(filter(None, map(join_lines, pages)))
    if not text:
        count = f"{len(pages)} page{'s' * (len(pages) != 1)}"
        raise DocumentUnreadable(
            f"It has {count} and no text: it is a scan.", "Run OCR on it first."
        )
    return text, "" if _POOR_TITLE.match(title) or "\ufffd" in title else title


def _pages(data: bytes) -> tuple[list[str], str]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _refusal(data, str(error)) from None
    try:
        pages = [_page(document, number) for number in range(len(document))]
        title = str(document.get_metadata_value("Title")).strip()
    finally:
        document.close()
    read = [page for page in pages if page is not None]
    # Without its end, some pages of a file may still open; a part must not pass for the whole.
    if not read or (len(read) < len(pages) and b"%%EOF" not in data[-1024:]):
        raise _refusal(data, "pages are missing")
    return read, title


def _page(document: Any, number: int) -> str | None:
    """Return the text of a page as PDFium lays it out, None for a page it cannot open."""
    import pypdfium2

    try:
        return str(document[number].get_textpage().get_text_range())
    except pypdfium2.PdfiumError:
        return None


def _refusal(data: bytes, reason: str) -> DocumentUnreadable:
    if "password" in reason.lower() or "security" in reason.lower():
        return DocumentUnreadable(
            "It is encrypted: it opens only with a password.", "Save a copy without the password."
        )
    if not data[:1024].lstrip().startswith(b"%PDF-"):
        return DocumentUnreadable("It is named .pdf but is not a PDF.", "Name it as what it is.")
    if b"%%EOF" not in data[-1024:]:
        return DocumentUnreadable(
            "It is a truncated PDF: its end is missing.", "Copy or download it again."
        )
    return DocumentUnreadable("It is a damaged PDF.", "Copy or download it again.")


def join_lines(page: str) -> str:
    """Undo the line breaks that only fit the text to the paper."""
    page = re.sub("[\ufffe\x02]\n?", "", page.replace("\r\n", "\n").replace("\r", "\n"))
    lines = [line.rstrip() for line in page.split("\n")]
    widest = sorted(map(_width, filter(None, lines)))[-1:] or [0]
    joined: list[str] = []
    last = 0
    for line in lines:
        if joined and last >= FULL * widest[0] > 30 and line and not _LIST_MARK.match(line):
            joined[-1] = _join(joined[-1], line.lstrip())
        else:
            joined.append(line)
        last = _width(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(joined)).strip()


def _join(before: str, after: str) -> str:
    if re.search(r"[a-z]-$", before) and after[:1].islower():
        return before[:-1] + after
    wide = _is_wide(before[-1]) and _is_wide(after[:1] or " ")
    return before + ("" if wide else " ") + after


def _width(line: str) -> int:
    return sum(2 if _is_wide(char) else 1 for char in line)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"
