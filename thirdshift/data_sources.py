"""Where the data of an analysis are, as its YAML file says it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from thirdshift.records import Record


class Dialect(Record):
    """How a text of values is written; what is left empty is found out from the data."""

    encoding: str = ""
    delimiter: str = ""
    decimal: Literal["", ".", ","] = ""
    skip_rows: int | None = Field(None, ge=0)


class FileSource(Record):
    """One file."""

    kind: Literal["csv", "parquet", "json", "jsonl", "excel"]
    path: Path
    sheet: str | int = 0
    dialect: Dialect = Dialect()


class FolderSource(Record):
    """All files of a folder that a pattern names, of one kind and with the same columns."""

    kind: Literal["folder"]
    path: Path
    pattern: str = "*.csv"
    dialect: Dialect = Dialect()


class Auth(Record):
    """A token from the keychain, and where the service wants it."""

    kind: Literal["bearer", "header", "query", "basic"]
    keychain: str = Field(min_length=1)  # name under which the token was stored
    user: str = ""  # with `basic`
    name: str = ""  # of the header or the query's key


class Paging(Record):
    """How an API gives its records page by page."""

    kind: Literal["page", "offset", "cursor", "link"]
    parameter: str = ""  # of the query: the page's number, the offset, or the cursor
    size_parameter: str = ""
    size: int = Field(100, ge=1, le=100_000)
    first: int = 1
    cursor: str = ""  # where an answer has the next cursor, as meta.next
    most: int = Field(1000, ge=1)  # pages


class HttpSource(Record):
    """A JSON or CSV API, or a file on a web server."""

    kind: Literal["http"]
    url: str = Field(pattern=r"^https?://")
    format: Literal["json", "csv"] = "json"
    records: str = ""  # where an answer has its list, as data.items
    parameters: dict[str, str | int | float] = Field(default_factory=dict)
    paging: Paging | None = None
    auth: Auth | None = None
    dialect: Dialect = Dialect()


class SqlSource(Record):
    """A query to a database."""

    kind: Literal["sql"]
    url: str  # SQLAlchemy's, without password
    query: str = Field(min_length=1)
    keychain: str = ""  # name under which its password was stored


class HtmlSource(Record):
    """A table of a web page, or of a saved one."""

    kind: Literal["html"]
    url: str = Field(pattern=r"^https?://")
    table: int = Field(0, ge=0)  # the how manieth of the page


class KaggleSource(Record):
    """A data set of Kaggle, through its own client and the owner's account."""

    kind: Literal["kaggle"]
    dataset: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    file: str = Field(min_length=1)
    dialect: Dialect = Dialect()


Source = Annotated[
    FileSource | FolderSource | HttpSource | SqlSource | HtmlSource | KaggleSource,
    Field(discriminator="kind"),
]
