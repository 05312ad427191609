"""Text extraction: which files lie under paths, and what each of them says.

Every way a file can be bad ends in DocumentUnreadable with the reason a person can act on.
"""

import errno
import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from tasks.documents.kinds import kind_of, language_of
from tasks.documents.mail import read_mails
from tasks.documents.pdf import read_pdf
from tasks.documents.word import read_docx
from tasks.pages.markup import read_html
from tasks.text import decoding
from thirdshift.errors import DocumentUnreadable
from thirdshift.records import Extract, Ingested
from thirdshift.settings import settings

__all__ = ["kind_of", "read", "walk"]

TITLE = 120  # characters
_REASONS = {
    errno.ENOENT: ("It does not exist, or is gone meanwhile.", "Check the path."),
    errno.ENOTDIR: ("It does not exist: a part of its path is a file.", "Check the path."),
    errno.EACCES: ("We have no permission to read it.", "Change its permissions, or leave it out."),
    errno.EPERM: (
        "The system forbids reading it.",
        "On macOS allow your terminal full disk access in System Settings, Privacy & Security.",
    ),
    errno.ELOOP: ("It is a link that leads back to itself.", "Remove the link."),
    errno.ENAMETOOLONG: ("Its name is too long.", "Check the path."),
}
_LITTER = ("~$", "._")  # what Office and macOS put beside a file; never the file itself


def read(path: Path) -> list[Extract]:
    """Return what a file says: one Extract, or one for each mail of an mbox.

    Raises DocumentUnreadable, and nothing else, for whatever cannot become text.
    """
    try:
        data = _bytes(path)
        kind = kind_of(path)
        if kind is None:
            raise _unread(path)
        extracts = _extract(data, kind, path)
    except OSError as error:
        raise _refused(error) from None
    except DocumentUnreadable:
        raise
    except Exception as error:  # parsers fail on hostile files in ways no one can list
        raise DocumentUnreadable(
            f"It is damaged: reading it failed with {type(error).__name__}.", "Save it anew."
        ) from error
    if not any(extract.text.strip() for extract in extracts):
        raise DocumentUnreadable("It is empty: there is no text in it.")
    return extracts


def walk(paths: Sequence[Path], ignore: Collection[str]) -> Iterator[Path | Ingested]:
    """Yield the files to read below the paths, sorted, each once; for a bad path what became of it.

    Links are followed, but never into a folder a second time. In a folder, files of a kind we
    do not read, names in `ignore` and our own home are passed over in silence.
    """
    seen: set[object] = {_identity(settings().home)}
    # Neither absolute(), which keeps "..", nor resolve(), which hides the name a person gave.
    named = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100
    seen -= {_identity(path) for path in named}
    waiting = [(path, True) for path in reversed(named)]
    while waiting:  # not recursion: folders may be nested deeper than Python's stack
        path, is_named = waiting.pop()
        try:
            os.fspath(path).encode()
            if (identity := _identity(path)) in seen:
                continue
            seen.add(identity)
            if path.is_dir():
                waiting += [(child, False) for child in reversed(_children(path, ignore))]
            else:
                yield from _file(path, is_named)
        except (OSError, ValueError) as error:
            yield _rejected(path, _refused(error))


def _children(folder: Path, ignore: Collection[str]) -> list[Path]:
    children = (child for child in folder.iterdir() if child.name not in ignore)
    return sorted(child for child in children if not child.name.startswith(_LITTER))


def _file(path: Path, named: bool) -> Iterator[Path | Ingested]:
    regular = stat.S_ISREG(path.stat().st_mode)
    if regular and kind_of(path):
        yield path
    elif named:
        yield _rejected(path, _unread(path) if regular else _irregular())


def _identity(path: Path) -> object:
    """Return what two paths to one file share; some network disks number no files."""
    try:
        status = path.stat()
    except OSError:
        return path
    return (status.st_dev, status.st_ino) if status.st_ino else path.resolve()


def _bytes(path: Path) -> bytes:
    """Return the content, after looking at type and size: a FIFO or 2 GB cost nothing."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise _irregular()
    limit = settings().ingest.max_file_mb
    if status.st_size > limit * 1e6:
        raise DocumentUnreadable(
            f"It has {status.st_size / 1e6:,.0f} MB; the limit is {limit:,.0f} MB.",
            "Raise ingest.max_file_mb, or split it.",
        )
    with path.open("rb") as file:
        data = file.read(int(limit * 1e6))
    if not data.strip():
        raise DocumentUnreadable("It is empty." if not data else "It holds only white space.")
    return data


def _extract(data: bytes, kind: str, path: Path) -> list[Extract]:
    if kind == "mail":
        return [_with_title(text, kind, subject or path.stem) for text, subject in read_mails(data)]
    if kind == "pdf":
        text, title = read_pdf(data)
    elif kind == "docx":
        text, title = read_docx(data)
    elif kind == "html":
        text, title = read_html(data)
    else:
        text = decoding.decode(data)
        title = path.name if kind == "code" else _heading(text) if kind == "markdown" else ""
    title = title or _first_line(text) or path.name
    return [_with_title(text, kind, title, language_of(path) if kind == "code" else "")]


def _with_title(text: str, kind: str, title: str, language: str = "") -> Extract:
    title = decoding.clean(" ".join(title.split()))[:TITLE]
    return Extract(text=decoding.clean(text), title=title, kind=kind, language=language)


def _heading(text: str) -> str:
    """Return the first heading of a Markdown text; `#` in a code block is none."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt().parse(text[:20_000])
    after = (
        tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"
    )
    return next(filter(None, after), "")


def _first_line(text: str) -> str:
    match = re.search(r"\S.*", text)
    return match[0].lstrip("#>*-= \t")[: 2 * TITLE] if match else ""


def _irregular() -> DocumentUnreadable:
    return DocumentUnreadable("It is no regular file: a pipe, socket, device or folder.")


def _unread(path: Path) -> DocumentUnreadable:
    if path.stat().st_size == 0:
        return DocumentUnreadable("It is empty.")
    kind = f" ({path.suffix.lower()})" if path.suffix else ""
    return DocumentUnreadable(
        f"It is binary, or of a kind we do not read{kind}.",
        "Save it as text, Markdown, HTML, DOCX or PDF.",
    )


def _refused(error: OSError | ValueError) -> DocumentUnreadable:
    if isinstance(error, OSError):
        reason = _REASONS.get(error.errno or 0, (f"The system cannot read it: {error.strerror}.",))
        return DocumentUnreadable(*reason)
    return DocumentUnreadable("Its name is not valid UTF-8.", "Rename it.")


def _rejected(path: Path, error: DocumentUnreadable) -> Ingested:
    shown = Path(os.fsencode(path).decode("utf-8", "replace"))
    return Ingested(path=shown, result="rejected", reason=str(error))
