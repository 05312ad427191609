"""Features of blocks: some eighty numbers that tell text from what surrounds it.

Its words and links, its place, what the template calls the elements around it, what stands
beside it, and which of it the rules took (`tasks.pages.classifier` weighs them).
"""

import math
import re
from collections import Counter, defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tasks.pages import boilerplate
from tasks.pages.about import About
from tasks.pages.blocks import UNSEEN, Block, Element, blocks, remove, squeezed
from tasks.pages.names import FAR, Names

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 10_000  # blocks of a page that are looked at one by one
_WHOLE = 15  # letters of a block that may be a part of one of the rules' lines
_PRICE = re.compile(r"[$€£¥₹]\s?\d|\d\s?(?:€|£|円|usd|eur)\b", re.IGNORECASE)
_ENDS = re.compile(r"[.!?。！？:：…]['\"”’)」]?$")
_KINDS = "p li h1 h2 h3 h4 h5 h6 td th dt dd pre blockquote div section".split()  # noqa: SIM905


class Read(NamedTuple):
    """A page's blocks: their texts, their letters, and what is known of each."""

    texts: list[str]
    sizes: "NDArray[np.float64]"
    ruled: "NDArray[np.bool_]"  # taken by the rules
    alike: "NDArray[np.int64]"  # one number for all that the template makes in the same way
    beside: "NDArray[np.bool_]"  # never the text: titles, what follows "Related", comments
    features: "NDArray[np.float32]"  # (blocks, features)


def read(root: Element, page: About, by_rules: str) -> Read | None:
    """Return what is below an element, block by block; None where there is nothing or too much.

    `root` loses what nobody sees.
    """
    remove([e for e in root.iter() if callable(e.tag) or e.tag in UNSEEN - {"button"}])
    listed = blocks(root)
    if not 0 < len(listed) <= MOST:
        return None
    known = _Blocks(root, listed, page, by_rules)
    texts = [block.text for block in listed]
    return Read(texts, known.sizes, known.ruled > 0, known.alike, known.beside, known.features)


class _Blocks:
    """The blocks below an element, and which of them the rules took for the text."""

    def __init__(self, root: Element, listed: list[Block], page: About, by_rules: str) -> None:
        self.root, self.blocks, self.page = root, listed, page
        self._squeezed = [squeezed(block.text) for block in self.blocks]
        lines, whole = set(map(squeezed, by_rules.split("\n"))), squeezed(by_rules)
        self.ruled = np.array(
            [s in lines or (len(s) >= _WHOLE and s in whole) for s in self._squeezed], float
        )
        self.sizes = np.array([len(s) for s in self._squeezed], float)
        self.links = np.array([block.links for block in self.blocks])
        self._copies = Counter(self._squeezed)
        self._names = Names(root, self._holds_much)
        self._twins: dict[Element, dict[Any, tuple[float, float]]] = {}  # of a parent's children

    @property
    def features(self) -> "NDArray[np.float32]":
        """One row a block, (blocks, features)."""
        own = np.array([self._own(index) for index in range(len(self.blocks))])
        page = np.tile(self._page, (len(self.blocks), 1))
        parts = [own, self._beside(own), self._nearby, page]
        return np.hstack(parts).astype(np.float32)

    @property
    def alike(self) -> "NDArray[np.int64]":
        """Which blocks lie in the same tags and classes, from the root down."""
        paths: dict[tuple[object, ...], int] = {}
        ways = (tuple(map(_kind, chain)) for chain in self._chains)
        return np.array([paths.setdefault(way, len(paths)) for way in ways])

    @property
    def beside(self) -> "NDArray[np.bool_]":
        """Which blocks are never the text."""
        elements = [block.element for block in self.blocks]
        never = self._after | np.array(list(map(self._names.unseen, elements)))
        if self.page.is_thread:
            return np.array(never)
        comments = np.array(list(map(self._names.in_comments, elements)))
        return np.array(never | self._titles | comments)

    @cached_property
    def _titles(self) -> "NDArray[np.bool_]":
        """Which blocks only repeat the page's title."""
        return np.array([s in self.page.titles for s in self._squeezed])

    @cached_property
    def _after(self) -> "NDArray[np.bool_]":
        """Which blocks follow, in its element, a heading under which everything leads away."""
        follows, away = [], None
        for block, chain in zip(self.blocks, self._chains, strict=True):
            if away is not None and away not in chain:
                away = None
            if boilerplate.ends_text(block):
                away = block.element.getparent()
            follows.append(away is not None)
        return np.array(follows)

    @cached_property
    def _chains(self) -> list[list[Element]]:
        """Each block's element and those around it, to the root."""
        chains = []
        for block in self.blocks:
            chain = [block.element]
            while chain[-1] is not self.root:
                chain.append(chain[-1].getparent())
            chains.append(chain)
        return chains

    @cached_property
    def _held(self) -> dict[Element, "NDArray[np.float64]"]:
        """What each element holds: letters, those in links, those the rules took; blocks."""
        held: dict[Element, Any] = defaultdict(lambda: np.zeros(4))
        rows = np.stack(
            [self.sizes, self.sizes * self.links, self.sizes * self.ruled, np.ones(len(self.sizes))]
        )
        for row, chain in zip(rows.T, self._chains, strict=True):
            for element in chain:
                held[element] += row
        return held

    @cached_property
    def _whole(self) -> float:
        return max(float(self._held[self.root][0]), 1.0)

    @cached_property
    def _before(self) -> "NDArray[np.float64]":
        """How many letters stand above each block."""
        sums: NDArray[np.float64] = self.sizes.cumsum() - self.sizes
        return sums

    def _own(self, index: int) -> list[float]:
        block, chain = self.blocks[index], self._chains[index]
        before = float(self._before[index]) / self._whole
        place = [index / len(self.blocks), before, float(len(chain))]
        place += [float(min(self._copies[self._squeezed[index]], 10)), float(self._after[index])]
        numbers = [*_words(block), *place, float(self._titles[index]), float(self.ruled[index])]
        return [
            *numbers,
            *self._names.far(block.element),
            *self._repeats(chain),
            *self._shares(chain),
        ]

    def _holds_much(self, element: Element) -> bool:
        size, _, ruled, _ = self._held[element]
        return bool(ruled >= 0.5 * max(self._held[self.root][2], 1.0) or size >= 0.6 * self._whole)

    def _repeats(self, chain: list[Element]) -> list[float]:
        """Return what tells of a list of things alike: how many, how large, how far up."""
        best = (0.0, 0.0, FAR)
        for up, element in enumerate(chain[:8]):
            count, size = self._alike(element)
            if count >= 3 and size > best[1]:
                best = (count, size, float(up))
        each = math.log1p(best[1] / max(best[0], 1.0))
        return [math.log1p(best[0]), best[1] / self._whole, best[2], each]

    def _alike(self, element: Element) -> tuple[float, float]:
        """Return how many siblings have the element's tag and class, and their letters."""
        parent = element.getparent()
        if element is self.root or parent is None:
            return 0.0, 0.0
        if parent not in self._twins:
            alike: dict[Any, tuple[float, float]] = {}
            for sibling in parent:
                if sibling in self._held:
                    count, size = alike.get(_kind(sibling), (0.0, 0.0))
                    alike[_kind(sibling)] = count + 1, size + float(self._held[sibling][0])
            self._twins[parent] = alike
        return self._twins[parent][_kind(element)]

    def _shares(self, chain: list[Element]) -> list[float]:
        """Return what the elements around hold: of the page, in links, taken by the rules."""
        shares: list[float] = []
        for up in (1, 2, 3, 5):
            size, linked, ruled, count = self._held[chain[min(up, len(chain) - 1)]]
            size = max(size, 1.0)
            shares += [size / self._whole, linked / size, ruled / size, math.log1p(count)]
        return shares

    def _beside(self, own: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return size, links, end and the rules' word of the blocks before and after."""
        columns = np.stack([own[:, 0], self.links, own[:, 3], self.ruled], axis=1)
        edge = np.full((1, columns.shape[1]), -1.0)
        return np.hstack([np.vstack([edge, columns[:-1]]), np.vstack([columns[1:], edge])])

    @cached_property
    def _nearby(self) -> "NDArray[np.float64]":
        """Return the mean size of the blocks nearby, and which share is linked or taken."""
        sizes = np.stack([self.sizes, self.sizes * self.links, self.sizes * self.ruled], axis=1)
        sums = np.vstack([np.zeros(3), sizes.cumsum(axis=0)])
        index, columns = np.arange(len(sizes)), []
        for near in (3, 8, 20):
            low, high = np.maximum(index - near, 0), np.minimum(index + near + 1, len(sizes))
            within = sums[high] - sums[low]
            whole = np.maximum(within[:, 0], 1.0)
            columns += [within[:, 0] / (high - low), within[:, 1] / whole, within[:, 2] / whole]
        return np.stack(columns, axis=1)

    @property
    def _page(self) -> list[float]:
        size, linked, ruled, count = self._held[self.root]
        prices = sum(bool(_PRICE.search(block.text)) for block in self.blocks)
        numbers = [math.log1p(size), linked / self._whole, math.log1p(ruled), ruled / self._whole]
        return [*numbers, math.log1p(count), prices / count, *self.page.kinds]


def _words(block: Block) -> list[float]:
    """Return what a block's own words tell; the first four are used beside others, too."""
    text = block.text
    numbers = [math.log1p(len(squeezed(text))), block.links, block.buttons]
    numbers += [float(bool(_ENDS.search(text))), math.log1p(len(text.split()))]
    numbers += [sum(map(str.isdigit, text)) / len(text), sum(map(str.isupper, text)) / len(text)]
    numbers += [float(bool(_PRICE.search(text))), float(boilerplate.leads_away(block))]
    tag = block.element.tag
    return [*numbers, float(_KINDS.index(tag) if tag in _KINDS else len(_KINDS))]


def _kind(element: Element) -> tuple[object, str]:
    return element.tag, (element.get("class") or " ").split(" ")[0]
