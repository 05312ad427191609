"""Features of a whole page: its address, titles, and the types it declares."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from tasks.pages import boilerplate
from tasks.pages.blocks import Element
from tasks.pages.threads import is_thread

_TYPES = {
    "article": {"Article", "NewsArticle", "BlogPosting", "Report", "TechArticle"},
    "product": {"Product", "ProductGroup", "Offer"},
    "list": {"ItemList", "CollectionPage", "SearchResultsPage", "OfferCatalog"},
    "thread": {"DiscussionForumPosting", "QAPage", "Question"},
}
_LISTS = re.compile(
    r"/(?:c|collections?|categor(?:y|ies)|shop|browse|catalog|tag|search|products?)(?:/|$)"
)
_TYPE = r'"@type"\s*:\s*\[?\s*"(\w+)"'  # of a thing in JSON-LD
_ITEM = re.compile(r"/(?:p|products?|dp|item|itm)/")


class About(NamedTuple):
    """What a page says of itself."""

    url: str
    titles: set[str]  # squeezed
    types: set[str]  # of its JSON-LD
    og_type: str
    articles: int
    paragraphs: int

    @property
    def is_article(self) -> bool:
        """Whether it says that it is one."""
        return "article" in self.og_type or bool(self.types & _TYPES["article"])

    @property
    def is_thread(self) -> bool:
        """Whether its address is that of a forum's thread."""
        return is_thread(self.url)

    @property
    def kinds(self) -> list[float]:
        """What kind of page it may be, as numbers: by its types and by its address."""
        path = urlsplit(self.url).path
        marks = [bool(self.types & names) for names in _TYPES.values()]
        marks += [word in self.og_type for word in ("article", "product", "website")]
        marks += [bool(_LISTS.search(path)), bool(_ITEM.search(path)), self.is_thread]
        counts = [path.strip("/").count("/"), path.count("-"), self.articles, self.paragraphs]
        return [*map(float, marks), *map(float, counts)]


def about(tree: Element, url: str) -> About:
    """Return what a page says of itself."""
    scripts = tree.xpath('//script[@type="application/ld+json"]/text()')
    types = {name for script in scripts for name in re.findall(_TYPE, script)}
    stated = tree.xpath('//meta[@property="og:type"]/@content') or [""]
    return About(
        url=url,
        titles=boilerplate.title_of(tree),
        types=types,
        og_type=stated[0].lower(),
        articles=len(tree.xpath("//article")),
        paragraphs=len(tree.xpath("//p")),
    )
