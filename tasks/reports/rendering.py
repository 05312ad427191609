"""Pages: Markdown to a self-contained HTML file, and how foreign words get into it unharmed."""

import base64
import re
from html import escape
from pathlib import Path

_CHART = re.compile(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def page(text: str, title: str, language: str = "en") -> str:
    """Return Markdown as a self-contained HTML page; raw HTML in it stays text."""
    from markdown_it import MarkdownIt

    # Charts are data URIs of ours; markdown-it would refuse SVG among them.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.validateLink = lambda url: not url.lower().startswith(("javascript:", "file:"))  # type: ignore[method-assign]
    # It reads an address character by character: charts are put back when it is done.
    charts = _CHART.findall(text)
    names = iter(range(len(charts)))
    body = parser.render(_CHART.sub(lambda _: f"chart:{next(names)}", text))
    for at, chart in enumerate(charts):
        body = body.replace(f'src="chart:{at}"', f'src="{chart}"')
    return _PAGE.format(title=escape(title), language=language, body=body)


def plain(text: str) -> str:
    """Escape what Markdown would read as markup or a link: names of files may hold anything.

    Line ends, control characters and those that turn the direction of writing become blanks.
    """
    line = " ".join(_UNSEEN.sub(" ", text).split())
    return "".join("\\" + char if char in "\\`*_[]<>#!&~|" else char for char in line)


def cell(text: str, most: int = 300) -> str:
    """Escape a text for a cell of a Markdown table, cut to `most` characters."""
    return plain(text if len(text) <= most else text[: most - 1] + "…")


def link(path: Path, folder: Path) -> str:
    """Return a Markdown link to a file that works in a page in `folder`, wherever both move."""
    from os.path import relpath
    from urllib.parse import quote

    return f"[{plain(str(path))}]({quote(relpath(path, folder))})"


def data_uri(svg: str) -> str:
    """Return an SVG as an address that an `<img>` takes, without any request."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; color: #222; background: #fdfcf9;
  max-width: 52rem; margin: 3rem auto; padding: 0 1.25rem; }}
h1 {{ font-size: 1.7rem; letter-spacing: -.01em; }} h2 {{ margin-top: 2.2rem; font-size: 1.15rem; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; }}
th, td {{ text-align: left; padding: .4rem .7rem .4rem 0; border-bottom: 1px solid #e5e1d8;
  vertical-align: top; }}
th {{ color: #777; font-weight: 500; }} img {{ max-width: 100%; }}
</style>
{body}
</html>
"""
