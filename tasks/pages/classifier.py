"""Which blocks are a page's main text: boosted trees weigh each, and the best set is taken.

The trees were learnt from the development part of WCXB (Murrough Foley, CC BY 4.0), 1,488 pages
of seven kinds; `tests/tasks/pages/learn.py` makes them anew.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.pages.about import About
from tasks.pages.blocks import Element
from tasks.pages.features import Read, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

TREES = Path(__file__).with_name("trees.npz")
_LEAST = 0.15  # F1 to be expected, below which a page has no main text
_ALIKE = 0.6  # F1 of two choices that mean the same, on short pages and on articles
_MUCH_ALIKE = 0.8  # and on others
_LEAN = 0.75
_SHORT = 3000  # letters of a page


def chosen(root: Element, page: About, by_rules: str) -> str:
    """Return the main text below `root`, a line a block: as the rules have it, or better.

    `root` is changed.
    """
    known = read(root, page, by_rules)
    if known is None:
        return by_rules
    return settled(known, weighed(known.features), page, by_rules)


def settled(known: Read, likely: "NDArray[np.float64]", page: About, by_rules: str) -> str:
    """Return the blocks of the best set, or the rules' text where that means the same.

    The rules know better than the trees what templates put into a text.
    """
    likely = np.where(known.beside, 0.0, _leaning(likely, known.alike))
    taken = best_set(likely, known.sizes)
    simple = page.is_article or known.sizes.sum() < _SHORT
    alike = _ALIKE if simple else _MUCH_ALIKE
    if _f1(known.ruled, taken, known.sizes) >= alike:
        return by_rules
    return "\n".join(text for text, there in zip(known.texts, taken, strict=True) if there)


def weighed(features: "NDArray[np.float32]") -> "NDArray[np.float64]":
    """Return how likely each block, (blocks, features), belongs to the text, 0..1."""
    trees = _trees()
    rows = np.arange(len(features))[:, None]
    at = np.tile(trees["root"], (len(features), 1))
    for _ in range(int(trees["depth"])):
        inner = trees["feature"][at] >= 0
        low = features[rows, np.maximum(trees["feature"][at], 0)] <= trees["threshold"][at]
        at = np.where(inner, np.where(low, trees["left"][at], trees["right"][at]), at)
    found: NDArray[np.float64] = 1 / (1 + np.exp(-trees["value"][at].sum(axis=1)))
    return found


def _leaning(likely: "NDArray[np.float64]", alike: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """Let what the template makes in the same way be judged in nearly the same way."""
    means = np.bincount(alike, likely) / np.bincount(alike)
    return (1 - _LEAN) * likely + _LEAN * means[alike]


def best_set(likely: "NDArray[np.float64]", sizes: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Return the blocks whose F1 with the text is to be expected highest; none where it is low.

    Whoever expects F1 takes what is likelier than half of the F1 that can be expected.
    """
    order = np.argsort(-likely, kind="stable")
    hits, taken = (likely * sizes)[order].cumsum(), sizes[order].cumsum()
    expected = 2 * hits / (taken + hits[-1] + 1e-9)
    best = int(expected.argmax())
    there: NDArray[np.bool_] = (likely >= likely[order[best]]) & (likely > 0)
    return there & bool(expected[best] >= _LEAST)


def _f1(
    one: "NDArray[np.bool_]", other: "NDArray[np.bool_]", sizes: "NDArray[np.float64]"
) -> float:
    both = float(sizes[one].sum() + sizes[other].sum())
    return 2 * float(sizes[one & other].sum()) / max(both, 1.0)


@cache
def _trees() -> "dict[str, NDArray[Any]]":
    """Return all nodes in a row: feature (-1 in a leaf), threshold, children, value; the roots."""
    with np.load(TREES) as kept:
        return dict(kept)
