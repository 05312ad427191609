"""SQL databases: the rows of a query, through SQLAlchemy, streamed into a file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.analysis.extraction.rows import write_rows
from thirdshift.data_sources import SqlSource
from thirdshift.errors import SourceUnavailable
from thirdshift.keychain import secret

_BATCH = 10_000  # rows


def write_query(source: SqlSource, into: Path) -> dict[str, str]:
    """Write the answer of a query as CSV; nothing in the database changes.

    Raises SourceUnavailable where the database cannot be reached or refuses the query.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        url = make_url(source.url)
        if source.keychain:
            url = url.set(password=secret(source.keychain))
        engine = create_engine(url)
        with engine.connect().execution_options(stream_results=True) as connection:
            answer = connection.execute(text(source.query))
            write_rows(into, _rows(list(answer.keys()), answer))
            connection.rollback()  # a query that would change something changes nothing
    except (ArgumentError, SQLAlchemyError, ModuleNotFoundError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise SourceUnavailable(
            f"The database at {source.url} did not answer the query: {reason}.",
            "Try the query in the database's own client.",
        ) from None  # the traceback could show the password
    return {}


def _rows(names: list[str], answer: Any) -> Iterator[Sequence[Any]]:
    yield names
    for batch in answer.partitions(_BATCH):
        yield from batch
