"""Content-Encoding, undone a piece at a time up to a limit: decompression bombs stay small."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from thirdshift.errors import LimitExceeded, PageUnavailable

ACCEPTED = "gzip, deflate"
_STEP = 65_536


def unpacked(chunks: Iterable[bytes], encoding: str, limit: int, subject: str) -> Iterator[bytes]:
    """Yield what the chunks unpack to; `subject` is what the messages name.

    Raises LimitExceeded above `limit` bytes, PageUnavailable for an encoding that was not
    asked for, or damaged data.
    """
    plain = chunks if encoding in ("", "identity") else _inflated(chunks, encoding, subject)
    size = 0
    for piece in plain:
        size += len(piece)
        if size > limit:
            raise LimitExceeded(f"{subject} is larger than {limit:,} bytes when unpacked.")
        yield piece


def _inflated(chunks: Iterable[bytes], encoding: str, subject: str) -> Iterator[bytes]:
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise PageUnavailable(
            f"{subject} came packed as {encoding[:40]!r}; we asked for {ACCEPTED}."
        )
    stream: Any = None
    try:
        for chunk in chunks:
            while chunk:
                stream = stream or _inflater(encoding, chunk)
                yield stream.decompress(chunk, _STEP)
                chunk = stream.unconsumed_tail or stream.unused_data
                if stream.eof:
                    stream = None  # another member may follow
        while stream and (rest := stream.decompress(b"", _STEP)):
            yield rest
    except zlib.error as error:
        raise PageUnavailable(f"{subject} came damaged: {error}.", passing=True) from None
    if stream and not stream.eof:
        raise PageUnavailable(f"{subject} came packed and cut short.", passing=True)


def _inflater(encoding: str, first: bytes) -> Any:
    if encoding != "deflate":
        return zlib.decompressobj(wbits=31)
    # "deflate" should come in zlib's wrapper and often comes without. The wrapper's first byte
    # names method 8; read as one number, its first two are a multiple of 31 (RFC 1950, 2.2).
    wrapped = first[0] & 0x0F == 8 and (len(first) < 2 or (first[0] << 8 | first[1]) % 31 == 0)
    return zlib.decompressobj(wbits=15 if wrapped else -15)
