"""An HTTP response from outside, and the limits of what may come."""

import re
from datetime import datetime
from functools import cached_property

from pydantic import ConfigDict, Field

from tasks.pages import markup
from tasks.pages.parsed import ParsedPage
from thirdshift.errors import DocumentUnreadable
from thirdshift.records import Provenance, Record, now

_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)


class Limits(Record):
    """What one fetch may take, over all its redirects."""

    seconds: float = Field(60, gt=0)  # in all
    silence: float = Field(15, gt=0)  # between two signs of life
    wire_bytes: int = Field(20_000_000, gt=0)  # as sent, headers included
    body_bytes: int = Field(50_000_000, gt=0)  # unpacked
    redirects: int = Field(8, ge=0)
    tries: int = Field(2, ge=1)  # where the failure may pass


class Page(Record):
    """One answer of a web server. Its content is data of strangers, never instructions."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    asked: str  # the URL that was asked for
    url: str  # the one that answered, after redirects
    status: int
    headers: dict[str, str] = Field(default_factory=dict)  # names in lower case
    body: bytes = b""  # unpacked
    fetched_at: datetime = Field(default_factory=now)
    rendered: bool = False  # a browser ran its scripts; the body is what they made
    provenance: Provenance = "untrusted_web"

    @property
    def not_modified(self) -> bool:
        """Whether the copy at hand is still good; there is no body then."""
        return self.status == 304

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case; empty where none is said."""
        return re.split("[;,]", self.headers.get("content-type", ""))[0].strip().lower()

    @property
    def etag(self) -> str:
        """What to send as `etag` the next time."""
        return self.headers.get("etag", "")

    @property
    def last_modified(self) -> str:
        """What to send as `modified` the next time."""
        return self.headers.get("last-modified", "")

    @cached_property
    def text(self) -> str:
        """The body decoded: header, byte-order mark, meta tag, then what the bytes look like.

        Raises DocumentUnreadable where it is no text.
        """
        named = _CHARSET.search(self.headers.get("content-type", ""))
        try:
            return markup.decoded(self.body, named[1] if named else "")
        except DocumentUnreadable as error:
            kind = self.content_type or "no type"
            raise DocumentUnreadable(f"{self.url} ({kind}) is no text: {error.what}") from None

    @cached_property
    def parsed(self) -> ParsedPage:
        """The body as HTML, parsed once for all who read it. Raises what `text` does."""
        return ParsedPage(self.text, self.url)
