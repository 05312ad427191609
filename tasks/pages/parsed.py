"""A web page parsed once, however much is read of it: text, metadata, links."""

import copy

from tasks.pages import articles, markup
from tasks.pages.links import Link, links_of
from tasks.pages.metadata import Metadata, metadata_of


class ParsedPage:
    """A page as a tree, and the address it lies at; `tree` is None where nothing is in it.

    Reading changes nothing: what takes the tree apart works on a copy, which is made in less than
    half of the time that parsing takes.
    """

    def __init__(self, html: str, url: str = "") -> None:
        self.tree, self.url = markup.parsed(html), url

    def main_text(self) -> str:
        """Return what `articles.main_text` does."""
        return articles.main_text_of(copy.deepcopy(self.tree), self.url)

    def needs_browser(self) -> bool:
        """Tell whether it shows next to nothing until its scripts have run."""
        return articles.needs_browser(self.tree)

    def metadata(self) -> Metadata:
        """Return what it says of itself."""
        return metadata_of(self.tree, self.url)

    def links(self) -> list[Link]:
        """Return where it leads."""
        return links_of(self.tree, self.url)
