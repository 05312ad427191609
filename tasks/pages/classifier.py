"""Block classification: boosted trees weigh each block, and the best set is the main text.

The trees were learnt from the development part of WCXB (Murrough Foley, CC BY 4.0), 1,488 pages
of seven kinds; `tests/tasks/pages/learn.py` makes them anew.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.pages import features
from tasks.pages.about import About
from tasks.pages.blocks import Element

if TYPE_CHECKING:
    from numpy.typing import NDArray

TREES = Path(__file__).with_name("trees.npz")
# Measured: docs/log.md, 2026-11-25, The main text of other pages.
_LEAST = 0.15  # F1 to be expected, below which a page has no main text
_ALIKE = 0.6  # F1 of two choices that mean the same, on short pages and on articles
_MUCH_ALIKE = 0.8  # and on others
_LEAN = 0.75  # share of the mean over all that the template makes in the same way
_SHORT = 3000  # letters of a page


def chosen(root: Element, page: About, by_rules: str) -> str:
    """Return the main text below `root`, a line a block: as the rules have it, or better.

    `root` is changed.
    """
    read = features.read(root, page, by_rules)
    if read is None:
        return by_rules
    return settled(read, weighed(read.features), page, by_rules)


def settled(read: features.Read, likely: "NDArray[np.float64]", page: About, by_rules: str) -> str:
    """Return the blocks of the best set, or the rules' text where that means the same.

    The rules know better than the trees what templates put into a text.
    """
    likely = np.where(read.beside, 0.0, _leaning(likely, read.alike))
    taken = best_set(likely, read.sizes)
    simple = page.is_article or read.sizes.sum() < _SHORT
    alike = _ALIKE if simple else _MUCH_ALIKE
    if _f1(read.ruled, taken, read.sizes) >= alike:
        return by_rules
    return "\n".join(text for text, there in zip(read.texts, taken, strict=True) if there)


def weighed(rows: "NDArray[np.float32]") -> "NDArray[np.float64]":
    """Return how likely each block, (blocks, features), belongs to the text, 0..1.

    All blocks walk down all trees at once: `node` is where each stands, (blocks, trees).
    """
    trees = _trees()
    index = np.arange(len(rows))[:, None]
    node = np.tile(trees["root"], (len(rows), 1))
    for _ in range(int(trees["depth"])):
        inner = trees["feature"][node] >= 0  # -1 in a leaf, which stays where it is
        low = rows[index, np.maximum(trees["feature"][node], 0)] <= trees["threshold"][node]
        node = np.where(inner, np.where(low, trees["left"][node], trees["right"][node]), node)
    likely: NDArray[np.float64] = 1 / (1 + np.exp(-trees["value"][node].sum(axis=1)))
    return likely


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
    ruled: "NDArray[np.bool_]", taken: "NDArray[np.bool_]", sizes: "NDArray[np.float64]"
) -> float:
    both = float(sizes[ruled].sum() + sizes[taken].sum())
    return 2 * float(sizes[ruled & taken].sum()) / max(both, 1.0)


@cache
def _trees() -> "dict[str, NDArray[Any]]":
    """Return all nodes in a row: feature (-1 in a leaf), threshold, children, value; the roots."""
    with np.load(TREES) as arrays:
        return dict(arrays)
