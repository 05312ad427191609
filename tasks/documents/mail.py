"""E-mail to text: the lines a person looks at, the body, the names of the attachments."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message

from tasks.pages.markup import html_text
from tasks.text import decoding
from thirdshift.errors import DocumentUnreadable

LONGEST = 10_000  # characters of a header; decoding takes quadratic time
HEADERS = ("Subject", "From", "To", "Cc", "Date")
# mbox separates mails by a line with sender and time; "From here on" in a body is no such line.
_SEPARATOR = re.compile(rb"(?:\A|(?<=\n))From [^\r\n]*\d\d?:\d\d[^\r\n]*\r?\n")


def read_mails(data: bytes) -> list[tuple[str, str]]:
    """Return text and subject of each readable mail: one of an .eml, many of an mbox.

    Raises DocumentUnreadable where not one can be read.
    """
    mails = [mail for mail in map(_try, _raw_mails(data)) if mail]
    if not mails:
        raise DocumentUnreadable("It holds no readable e-mail.", "Export it as .eml or .mbox.")
    return mails


def _raw_mails(data: bytes) -> Iterator[bytes]:
    starts = list(_SEPARATOR.finditer(data))
    if not starts or starts[0].start() > 0:
        yield data
        return
    ends = [match.start() for match in starts[1:]] + [len(data)]
    for match, end in zip(starts, ends, strict=True):
        yield re.sub(rb"(?m)^>(>*From )", rb"\1", data[match.end() : end])


def _try(raw: bytes) -> tuple[str, str] | None:
    """Read one mail, None if it is beyond reading: it must not take its neighbours along."""
    try:
        return _read(raw)
    except Exception:  # the parser lets Index-, Type-, Value- and RecursionError escape
        return None


def _read(raw: bytes) -> tuple[str, str] | None:
    # Not policy.default: its header parser raises on many a header that spam is made of.
    message = message_from_bytes(raw)
    lines = [(name, _header(message, name)) for name in HEADERS]
    head = "\n".join(f"{name}: {value}" for name, value in lines if value)
    if not head:
        return None
    attached: list[str] = []
    parts = [head, _body(message, attached).strip()]
    if attached:
        parts.append(f"Attachments: {', '.join(attached)}")
    return decoding.clean("\n\n".join(filter(None, parts))), lines[0][1]


def _header(message: Message, name: str) -> str:
    """Return a header as people read it: RFC 2047 decoded, raw 8-bit bytes too."""
    values = (str(value) for key, value in message.raw_items() if key.lower() == name.lower())
    raw = next(values, "")[:LONGEST]
    return " ".join(_decoded(re.sub(r"\r?\n[ \t]+", " ", raw)).split())


def _decoded(raw: str) -> str:
    if not raw.isascii():
        return _lenient(raw.encode("utf-8", "surrogateescape"), None)
    try:
        parts = decode_header(raw)
    except (MessageError, ValueError):
        return raw
    return "".join(part if isinstance(part, str) else _word(part, name) for part, name in parts)


def _word(part: bytes, charset: str | None) -> str:
    return part.decode("ascii", "replace") if charset is None else _lenient(part, charset)


def _body(part: Message, attached: list[str]) -> str:
    """Return the text of a part, plain before HTML; name what is only attached."""
    if part.get_content_maintype() == "multipart":
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        texts = [_body(child, attached) for child in children]
        if part.get_content_subtype() != "alternative":
            return "\n\n".join(text.strip() for text in texts if text.strip())
        plain = [child.get_content_type() == "text/plain" for child in children]
        ranked = sorted(zip(plain, texts, strict=True), key=lambda pair: not pair[0])
        return next((text for _, text in ranked if text.strip()), "")
    if part.get_content_disposition() == "attachment" or part.get_content_maintype() != "text":
        attached.append(_decoded(part.get_filename() or part.get_content_type()))
        return ""
    return _leaf(part)


def _leaf(part: Message) -> str:
    data = part.get_payload(decode=True)
    data = data if isinstance(data, bytes) else b""
    text = _lenient(data, part.get_content_charset()) if data.strip() else ""
    if part.get_content_subtype() == "html":
        return html_text(text)[0]
    return text.replace("\r\n", "\n")


def _lenient(data: bytes, charset: str | None) -> str:
    """Decode a part of a mail: one bad byte in it must not lose the mail."""
    try:
        return decoding.decode(data, charset)
    except DocumentUnreadable:
        return data.decode("utf-8", "replace")
