"""Language identification (Japanese or not), and texts of two languages made comparable.

A multilingual embedding model gives each language and each role (question, passage) a direction
of its own, so that a Japanese question finds Japanese text before the English text that answers
it. Taking that direction away (the mean of many texts, measured once and kept beside this file)
mends it: on the sample questions the right document came first 37 times of 44, before 26
(docs/log.md, 2026-11-22, Embeddings centred by language).
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEANS = Path(__file__).with_name("language_means.npz")

_JAPANESE = re.compile(r"[぀-ヿ㐀-鿿々〆〇ｦ-ﾟ]")
_SHARE = 0.15  # of the letters: Japanese text quotes English words, seldom the reverse
_LETTER = re.compile(r"[^\W\d_]")
_LOOK_AT = 2000  # characters
_BETWEEN = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+|\n+")
_KATAKANA = re.compile(r"[ァ-ヾ]")
_TERM = re.compile(r"[a-z0-9][a-z0-9-]*|[ァ-ヾ]{2,}|[一-鿿々]+")
_FUNCTION = frozenset(
    """a about an and any are at be been by can could did do does for from had has have how if in
    is it its long many may much of on or should that the their there they this to up was were
    what when where which who whom whose why will with would you your""".split()  # noqa: SIM905
)


def is_japanese(text: str) -> bool:
    """Tell whether a text is Japanese (or Chinese) by the share of its script."""
    start = text[:_LOOK_AT]
    return len(_JAPANESE.findall(start)) > _SHARE * max(len(_LETTER.findall(start)), 1)


def centred(
    vectors: "NDArray[np.float32]", texts: Sequence[str], *, query: bool
) -> "NDArray[np.float32]":
    """Return unit vectors without the direction of their language and role; shape as given."""
    import numpy as np

    if not len(texts):
        return vectors
    means = _means()["query" if query else "passage"]
    moved = vectors - means[[int(is_japanese(text)) for text in texts]]
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)


def folded(text: str) -> str:
    """Return a text for comparison: letters of one width and case (NFKC), single blanks.

    "Ｒｏａｓｔ  No.１" and "roast no.1" are the same.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences of either language; a line is one too."""
    return [part.strip() for part in _BETWEEN.split(text) if part and part.strip()]


def terms(text: str) -> list[str]:
    """Return the words of a text that carry meaning, lower-case, as stems that prefix the word.

    English words without function words, katakana words, and pairs of kanji.
    """
    stems = []
    for word in _TERM.findall(text.lower()):
        if word.isascii():
            stems += [] if word in _FUNCTION else [word.rstrip("s")[:7]]
        elif len(word) > 2 and not _KATAKANA.match(word):
            stems += [word[index : index + 2] for index in range(len(word) - 1)]
        else:
            stems.append(word)
    return stems


def measure(texts: dict[str, list[str]], embed: Any) -> dict[str, "NDArray[np.float32]"]:
    """Return the means to keep: `query` and `passage`, each (2, dim): other languages, Japanese.

    `texts` holds questions_en, questions_ja, passages_en, passages_ja; `embed(texts, query=…)`
    gives raw vectors.
    """
    import numpy as np

    def mean(name: str, query: bool) -> Any:
        pair = (texts[f"{name}_en"], texts[f"{name}_ja"])
        return np.stack([embed(some, query=query).mean(0) for some in pair]).astype("float32")

    return {"query": mean("questions", True), "passage": mean("passages", False)}


@cache
def _means() -> dict[str, Any]:
    import numpy as np

    with np.load(MEANS) as means:
        return dict(means)
