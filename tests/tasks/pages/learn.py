"""Learn `tasks/pages/trees.npz` from pages whose main text is known.

    python tests/tasks/pages/learn.py WCXB/dev        (with `pip install lightgbm`)

The folder has `html/NAME.html.gz` and `ground-truth/NAME.json`, as WCXB's development part has
(https://github.com/Murrough-Foley/web-content-extraction-benchmark, CC BY 4.0). Shown is the
mean F1 by kind of page, each page judged by trees that were learnt from other sites.
"""

import copy
import gzip
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tasks.pages import articles, markup
from tasks.pages.about import About, about
from tasks.pages.blocks import body_of, squeezed
from tasks.pages.classifier import TREES, settled
from tasks.pages.features import Read, read

_COUNT = 200
_SETTINGS = {
    "objective": "cross_entropy", "num_leaves": 15, "learning_rate": 0.1, "lambda_l2": 5,
    "min_data_in_leaf": 60, "feature_fraction": 0.3, "bagging_fraction": 0.7, "bagging_freq": 1,
    "verbose": -1, "seed": 0, "deterministic": True, "num_threads": 2,
}  # fmt: skip

Given = tuple[str, str, str, str, str]  # name, kind, address, HTML, text
Words = list[str]


class Known(NamedTuple):
    """A page, its text, what the rules make of it, and which of its blocks are in the text."""

    name: str
    kind: str
    truth: str
    page: About
    by_rules: str
    read: Read
    held: NDArray[np.float64]  # 0..1


def pages(folder: Path) -> Iterator[Given]:
    """Yield the pages of a benchmark's folder."""
    for file in sorted((folder / "ground-truth").glob("*.json")):
        said = json.loads(file.read_text("utf-8"))
        kind = ((said.get("_internal") or {}).get("page_type") or {}).get("primary", "article")
        packed = (folder / "html" / f"{file.stem}.html.gz").read_bytes()
        page = gzip.decompress(packed).decode("utf-8", "replace")
        truth = said["ground_truth"].get("main_content") or ""
        yield file.stem, kind, said.get("url") or "", page, truth


def known(given: Given) -> Known | None:
    """Read a page as `main_text` does, up to where the trees are asked."""
    name, kind, url, html, truth = given
    tree = markup.parsed(html)
    if tree is None or markup.depth(tree) > markup.DEPTH:
        return None
    articles.unveil(tree)
    ruled, page = articles.by_rules(copy.deepcopy(tree), url), about(tree, url)
    found = read(body_of(tree), page, ruled)
    if found is None:
        return None
    return Known(name, kind, truth, page, ruled, found, labels(found.texts, truth))


def labels(texts: Sequence[str], truth: str) -> NDArray[np.float64]:
    """Return how much of each block is in the text; of copies those among other text count."""
    sizes = np.array([len(squeezed(text)) for text in texts], float)
    lines = {squeezed(line).lower() for line in truth.split("\n")}
    run = f" {' '.join(words(truth))} "
    held = np.array([_share(text, lines, squeezed(truth).lower(), run) for text in texts])
    copies = defaultdict(list)
    for at, text in enumerate(texts):
        copies[squeezed(text).lower()].append(at)
    single = np.array([len(copies[squeezed(text).lower()]) == 1 for text in texts])
    dense = _density(sizes * held * single, sizes)
    for text, places in copies.items():
        there = max(run.count(f" {' '.join(words(texts[places[0]]))} "), 1)
        held[sorted(places, key=lambda at: -dense[at])[there:]] = 0
        if len(words(texts[places[0]])) < 5 and text not in lines:  # by chance, far from others
            held[[at for at in places if dense[at] < 0.15]] = 0
    return held


def _share(text: str, lines: set[str], whole: str, run: str) -> float:
    bare, said = squeezed(text).lower(), words(text)
    if not bare or bare in lines or (len(bare) >= 25 and bare in whole):
        return float(bool(bare))
    if len(said) < 5:
        return 0.9 * bool(said and f" {' '.join(said)} " in run)
    threes = [" ".join(said[at : at + 3]) for at in range(len(said) - 2)]
    share = mean(f" {three} " in run for three in threes)
    return share if share > 0.3 else 0.0


def _density(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    near = np.ones(17)
    within = np.convolve(whole, near, "full")[8 : 8 + len(whole)]
    found: NDArray[np.float64] = np.convolve(part, near, "full")[8 : 8 + len(part)]
    return found / np.maximum(within, 1)


def words(text: str) -> Words:
    """Return the words of a text in small letters, as the benchmark counts them."""
    return re.findall(r"\w+", text.lower())


def f1(found: str, truth: str) -> float:
    """Return the F1 of two bags of words."""
    one, other = Counter(words(found)), Counter(words(truth))
    both = one.total() + other.total()
    return 2 * (one & other).total() / both if both else 1.0


def learn(all_: Sequence[Known]) -> Any:
    """Return boosted trees; each block weighs its part of its page's words."""
    import lightgbm

    weights = []
    for one in all_:
        sizes = np.array([len(words(text)) for text in one.read.texts]) + 0.3
        whole = max(len(words(one.truth)), 0.1 * sizes.sum(), 30)
        weights.append(np.minimum(sizes / whole, 1))
    features = np.vstack([one.read.features for one in all_])
    held = np.concatenate([one.held for one in all_])
    data = lightgbm.Dataset(features, held, weight=np.concatenate(weights))
    return lightgbm.train(_SETTINGS, data, _COUNT)


def judge(all_: Sequence[Known]) -> dict[str, list[tuple[float, float]]]:
    """Return the F1 of the rules alone and of both, by kind; no site has taught its judge."""
    sides = [crc32(urlsplit(one.page.url).netloc.encode()) % 2 for one in all_]
    halves = [[one for one, side in zip(all_, sides, strict=True) if side == n] for n in (0, 1)]
    told = defaultdict(list)
    for taught, judged in (halves, halves[::-1]):
        trees = learn(taught)
        for one in judged:
            text = settled(one.read, trees.predict(one.read.features), one.page, one.by_rules)
            told[one.kind].append((f1(one.by_rules, one.truth), f1(text, one.truth)))
    return told


def keep(trees: Any, file: Path) -> None:
    """Write all nodes in a row; a leaf has the feature -1."""
    nodes: dict[str, list[float]] = defaultdict(list)
    deepest = 0

    def add(node: dict[str, Any], depth: int) -> int:
        nonlocal deepest
        deepest, at = max(deepest, depth), len(nodes["feature"])
        leaf = "leaf_value" in node
        nodes["feature"].append(-1 if leaf else node["split_feature"])
        nodes["threshold"].append(0 if leaf else node["threshold"])
        nodes["value"].append(node["leaf_value"] if leaf else 0)
        for side in ("left", "right"):
            nodes[side].append(0)
        if not leaf:
            for side in ("left", "right"):
                nodes[side][at] = add(node[f"{side}_child"], depth + 1)
        return at

    roots = [add(tree["tree_structure"], 0) for tree in trees.dump_model()["tree_info"]]
    types = {"feature": np.int16, "left": np.uint16, "right": np.uint16}
    arrays = {name: np.array(row, types.get(name, np.float32)) for name, row in nodes.items()}
    np.savez_compressed(file, **arrays, root=np.array(roots, np.int32), depth=np.array(deepest))


def main(folder: Path) -> None:
    """Judge by halves, then learn from all pages."""
    with ProcessPoolExecutor() as pool:
        all_ = [one for one in pool.map(known, pages(folder), chunksize=8) if one]
    told = judge(all_)
    told["all"] = [one for some in told.values() for one in some]
    for kind, found in told.items():
        before, after = (mean(one) for one in zip(*found, strict=True))
        print(f"{kind:14} {len(found):5} pages: rules {before:.3f}, both {after:.3f}")
    keep(learn(all_), TREES)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
