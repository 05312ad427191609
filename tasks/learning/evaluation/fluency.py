"""Degeneration: gibberish and endless loops, by the text and its likelihood under the base.

Accuracy and margin of a preference training can look perfect while the model writes nothing but
scraps. A text is sound if it says something, does not repeat itself, and the model it was trained
from finds it believable.
"""

from collections.abc import Sequence

from thirdshift.records import Record

LOOPING = 0.5  # share of repeated sequences: above, a text turns in circles
_SEQUENCE = 4  # words of a sequence; in text without spaces, twice as many characters


class Text(Record):
    """A generated text; `nats` per token is its mean −log p under the base model."""

    text: str
    nats: float


def is_sound(text: Text, limit: float) -> bool:
    """Tell whether a text is fluent: there, no loop, and below `limit` nats per token."""
    return bool(text.text.strip()) and repetition(text.text) < LOOPING and text.nats < limit


def repetition(text: str) -> float:
    """Return the share of word sequences that occurred before, 0..1."""
    units = words(text)
    size = _SEQUENCE if " " in text.strip() else 2 * _SEQUENCE
    sequences = [tuple(units[first : first + size]) for first in range(len(units) - size + 1)]
    return 1 - len(set(sequences)) / len(sequences) if sequences else 0.0


def distinct(texts: Sequence[str]) -> float:
    """Return distinct pairs of words among all texts, per pair: 1 is all different (distinct-2).

    Li et al., 2016, arXiv:1510.03055. A model that says the same to everything scores low.
    """
    pairs = [pair for text in texts for pair in zip(words(text), words(text)[1:], strict=False)]
    return len(set(pairs)) / len(pairs) if pairs else 0.0


def words(text: str) -> list[str]:
    """Return the words of a text, or its characters where it has no spaces."""
    text = text.strip()
    return text.lower().split() if " " in text else [*text]
