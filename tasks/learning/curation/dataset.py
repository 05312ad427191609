"""Data sets to train on, of what the owner taught: clean, without doubles, split by topic.

A set is a folder: train.jsonl, valid.jsonl, test.jsonl, and a manifest that says of which rows,
by which settings, with which hashes it was made. The same rows and settings give the same bytes.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from tasks.feedback.examples import taught
from tasks.learning.curation.deduplication import texts, without_doubles
from tasks.learning.curation.rows import (
    check,
    replayed,
    rows_of,
    write,
)
from tasks.learning.curation.splits import split, topics
from tasks.models.embedding import embedder
from tasks.text.scrubbing import scrub
from thirdshift.errors import TooLittleData
from thirdshift.learning import Dataset, Example, Preference, Rejected
from thirdshift.settings import settings

Kind = Literal["examples", "preferences"]
Form = Literal["messages", "completion"]

_TOPICS = 3  # at least, one for each split


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that is needed."""

    def apply_chat_template(self, conversation: list[dict[str, str]], /, **options: Any) -> Any:
        """Return the ids of a conversation."""
        ...


def curate(
    kind: Kind,
    tokenizer: Tokenizer,
    *,
    max_tokens: int = 512,
    form: Form = "messages",
    seed: int = 0,
) -> Dataset:
    """Make the data set of all examples or preferences; where it is there already, return it.

    Longer rows than `max_tokens` by the model's own template, and doubles, are left out and
    named. Raises TooLittleData, which says how much is missing, and DatasetInvalid, which
    names rows and reasons, where the expectations in datasets/expectations do not hold.
    """
    kept, rejected = without_doubles(_clean(kind))
    lengths = {one.id: _length(one, tokenizer) for one in kept}
    rejected += [
        Rejected(id=one.id, reason=f"{lengths[one.id]} tokens, {max_tokens} are allowed")
        for one in kept
        if lengths[one.id] > max_tokens
    ]
    kept = [one for one in kept if lengths[one.id] <= max_tokens]
    require(kind, len(kept), len(rejected))
    labels, limit = topics(embedder().query([one.prompt for one in kept]))
    if len(set(labels)) < _TOPICS:
        raise TooLittleData(
            f"All {len(kept)} {kind} are about {len(set(labels))} topics; {_TOPICS} are needed.",
            "Teach about other things too: what is learnt must be judged by other topics.",
        )
    splits = split(labels, [one.id for one in kept], seed)
    made = rows_of(kept, labels, splits, lengths)
    share = settings().learning.replay_share if kind == "examples" else 0.0
    made += replayed(splits.count("train"), share, lambda one: _length(one, tokenizer), seed)
    check(kind, made, max_tokens)
    options = {"kind": kind, "form": form, "max_tokens": max_tokens, "seed": seed}
    return write(made, rejected, options | {"topic_limit": limit, "replay_share": share})


def require(kind: Kind, count: int, left_out: int = 0) -> None:
    """Raise TooLittleData, with how much is missing, below the settings' minimum."""
    needed = getattr(settings().learning, f"min_{kind}")
    if count < needed:
        aside = f" ({left_out} were left out: doubles, or too long)" if left_out else ""
        raise TooLittleData(
            f"There are {count} {kind}{aside}; {needed} are needed, {needed - count} are missing.",
            "Judge and correct answers, edit drafts; or lower "
            f"learning.min_{kind} and trust the result less.",
        )


def _clean(kind: Kind) -> Sequence[Any]:
    """Return the rows, scrubbed anew: the rules may have grown since they were kept."""
    return [_scrubbed(row) for row in taught(kind)]


def _scrubbed(row: Any) -> Any:
    names = (
        ("prompt", "completion") if isinstance(row, Example) else ("prompt", "chosen", "rejected")
    )
    return row.model_copy(update={name: scrub(getattr(row, name)) for name in names})


def _length(row: Example | Preference, tokenizer: Tokenizer) -> int:
    """Return the tokens of the longest conversation of a row, as the model's template writes it."""
    prompt, *answers = texts(row)
    return max(len(_ids(tokenizer, prompt, answer)) for answer in answers)


def _ids(tokenizer: Tokenizer, prompt: str, answer: str) -> Any:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
