"""Data sets to train on, of what the owner taught: clean, without doubles, split by cluster.

A set is a folder: train.jsonl, valid.jsonl, test.jsonl, and a manifest that says of which rows,
by which settings, with which hashes it was made. The same rows and settings give the same bytes.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from tasks.feedback.examples import taught
from tasks.learning.curation.deduplication import texts, without_doubles
from tasks.learning.curation.rows import check_rows, placed_rows, replayed_rows, write_dataset
from tasks.learning.curation.splits import assign_splits, clusters
from tasks.models.embedding import embedder
from tasks.text import scrubbing
from thirdshift.errors import TooLittleData
from thirdshift.learning import (
    CurationSettings,
    Dataset,
    Example,
    Form,
    Kind,
    Preference,
    Rejected,
)
from thirdshift.settings import settings

_CLUSTERS = 3  # at least, one for each split


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
    rows, rejected = without_doubles(_clean(kind))
    lengths = {row.id: _length(row, tokenizer) for row in rows}
    rejected += [
        Rejected(id=row.id, reason=f"{lengths[row.id]} tokens, {max_tokens} are allowed")
        for row in rows
        if lengths[row.id] > max_tokens
    ]
    rows = [row for row in rows if lengths[row.id] <= max_tokens]
    require_enough(kind, len(rows), len(rejected))
    labels, limit = clusters(embedder().query([row.prompt for row in rows]))
    _require_variety(kind, labels)
    splits = assign_splits(labels, [row.id for row in rows], seed)
    placed = placed_rows(rows, labels, splits, lengths)
    share = settings().learning.replay_share if kind == "examples" else 0.0
    placed += replayed_rows(
        splits.count("train"), share, lambda example: _length(example, tokenizer), seed
    )
    check_rows(kind, placed, max_tokens)
    options = CurationSettings(
        kind=kind,
        form=form,
        max_tokens=max_tokens,
        seed=seed,
        topic_limit=limit,
        replay_share=share,
    )
    return write_dataset(placed, rejected, options)


def require_enough(kind: Kind, count: int, left_out: int = 0) -> None:
    """Raise TooLittleData, with how much is missing, below the settings' minimum."""
    needed = getattr(settings().learning, f"min_{kind}")
    if count < needed:
        aside = f" ({left_out} were left out: doubles, or too long)" if left_out else ""
        raise TooLittleData(
            f"There are {count} {kind}{aside}; {needed} are needed, {needed - count} are missing.",
            "Judge and correct answers, edit drafts; or lower "
            f"learning.min_{kind} and trust the result less.",
        )


def _require_variety(kind: Kind, labels: Sequence[int]) -> None:
    """Raise TooLittleData where a split would stay empty."""
    if len(set(labels)) < _CLUSTERS:
        raise TooLittleData(
            f"All {len(labels)} {kind} are about {len(set(labels))} topics; "
            f"{_CLUSTERS} are needed.",
            "Teach about other things too: what is learnt must be judged by other topics.",
        )


def _clean(kind: Kind) -> Sequence[Any]:
    """Return the rows, scrubbed anew: the rules may have grown since they were kept."""
    return [_scrubbed(row) for row in taught(kind)]


def _scrubbed(row: Any) -> Any:
    is_example = isinstance(row, Example)
    fields = ("prompt", "completion") if is_example else ("prompt", "chosen", "rejected")
    return row.model_copy(update={field: scrubbing.scrub(getattr(row, field)) for field in fields})


def _length(row: Example | Preference, tokenizer: Tokenizer) -> int:
    """Return the tokens of the longest conversation of a row, as the model's template writes it."""
    prompt, *answers = texts(row)
    return max(len(_ids(tokenizer, prompt, answer)) for answer in answers)


def _ids(tokenizer: Tokenizer, prompt: str, answer: str) -> Any:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
