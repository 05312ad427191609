"""DOCX to Markdown: headings, paragraphs, lists and tables in document order."""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from thirdshift.errors import DocumentUnreadable
from thirdshift.settings import settings

_BODY = {"sdt", "sdtContent", "ins", "customXml", "smartTag"}  # wrappers around blocks
_TEXT = (
    ".//*[self::w:t or self::w:tab or self::w:br or self::w:cr]"
    "[not(ancestor::*[local-name() = 'Fallback'])]"
)


def read_docx(data: bytes) -> tuple[str, str]:
    """Return the text and the title (first heading, else the file's own), which may be empty.

    Raises DocumentUnreadable for an encrypted, damaged or oversized file.
    """
    _look_inside(data)
    import docx

    try:
        document = docx.Document(io.BytesIO(data))
    except Exception as error:  # python-docx lets KeyError, lxml's and zlib's errors escape
        raise _damaged() from error
    # Ids of styles are localised ("1" in a Japanese Word), their names are not.
    styles = {style.style_id: str(style.name) for style in document.styles}
    blocks = [_block(element, styles) for element in _blocks(document.element.body)]
    text = re.sub(
        r"(?m)^((?:- |1\. ).*)\n\n(?=- |1\. )", r"\1\n", "\n\n".join(filter(None, blocks))
    )
    heading = re.search(r"(?m)^#+ (.+)", text)
    return text, heading[1] if heading else (document.core_properties.title or "").strip()


def _damaged() -> DocumentUnreadable:
    return DocumentUnreadable("It is a damaged or truncated DOCX.", "Copy or download it again.")


def _look_inside(data: bytes) -> None:
    """Refuse what is no DOCX, and what unpacks to more than memory should hold."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentUnreadable(
            "It is encrypted, or an old Word file.", "Save it as .docx without a password."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {item.filename: item.file_size for item in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise _damaged() from None
    limit = settings().ingest.max_file_mb
    if sum(sizes.values()) > 2 * limit * 1e6:
        raise DocumentUnreadable(
            f"It unpacks to {sum(sizes.values()) / 1e6:,.0f} MB, more than {2 * limit:,.0f} MB.",
            "Raise ingest.max_file_mb if you trust it.",
        )
    if not any(name.startswith("word/") for name in sizes):
        raise DocumentUnreadable("It is a ZIP file without a Word document in it.")


def _blocks(parent: Any) -> Iterator[Any]:
    """Yield paragraphs and tables, also those in content controls and tracked insertions."""
    for child in parent:
        name = _name(child)
        if name in {"p", "tbl"}:
            yield child
        elif name in _BODY:
            yield from _blocks(child)


def _block(element: Any, styles: dict[str, str]) -> str:
    if _name(element) == "tbl":
        return _table(element)
    text = _text(element)
    return f"{_mark(element, styles)}{text}" if text else ""


def _mark(paragraph: Any, styles: dict[str, str]) -> str:
    """Return what stands before the text in Markdown: a heading's or a list item's mark."""
    style = styles.get(paragraph.style or "", "")
    if heading := re.fullmatch(r"Heading ([1-9])", style):
        return "#" * min(6, int(heading[1])) + " "
    if style == "Title":
        return "# "
    numbered = paragraph.pPr is not None and paragraph.pPr.numPr is not None
    if style.startswith("List Number"):
        return "1. "
    return "- " if numbered or style.startswith("List") else ""


def _text(element: Any) -> str:
    # Runs alone would miss links, fields, content controls and tracked insertions.
    white = {"tab": "\t", "br": "\n", "cr": "\n"}
    parts = (white.get(_name(node), node.text or "") for node in element.xpath(_TEXT))
    return "".join(parts).strip()


def _table(table: Any) -> str:
    rows = []
    for row in (child for child in table if _name(child) == "tr"):
        cells = [" ".join(_text(cell).split()) for cell in row if _name(cell) == "tc"]
        rows.append(f"| {' | '.join(cells)} |")
        if len(rows) == 1:
            rows.append(f"|{'---|' * len(cells)}")
    return "\n".join(rows)


def _name(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
