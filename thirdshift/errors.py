"""Errors a reader can act on: each says what happened and what mends it.

ThirdShiftError
├── SettingsInvalid        a key of the settings file or environment is wrong
├── CatalogueInvalid       deployments.yaml says something we cannot run
├── AnalysisInvalid        the file of an analysis says something we cannot do
├── SourceUnavailable      data could not be fetched: no answer, no access, no such file
├── DataInvalid            data came, and are not what they should be
├── RuntimeUnavailable     no model server answers, or it stopped answering
├── ModelMissing           the named model is not on this machine
├── ModelUnsupported       a model or an adapter has a part that cannot be converted
├── AdapterRefused         a version must not be served, and why
├── ContextTooLong         the prompt does not fit the model's context
├── OutOfMemory            the model does not fit the memory budget
├── ToolsUnsupported       the model cannot call tools of its own accord
├── AnswerInvalid          a structured answer does not fit its schema
├── EmbeddingMismatch      the store's vectors come from another model
├── DocumentUnreadable     a file cannot become text
├── DatasetInvalid         a row of a data set cannot be trained on, or there are none
├── TooLittleData          too little was taught to train and to judge; it says how much
├── TrainingFailed         a training ended without an adapter: it diverged, or it died
├── FeedBroken             a watched source does not give what it should
├── SecretMissing          the keychain does not hold it, or there is no keychain
├── EvaluationFailed       a candidate could not be judged
├── StoreBusy              another process holds the store's lock
├── DiskFull               too little room to write safely
├── PortTaken              a port we need belongs to someone else
├── PrefectUnavailable     the Prefect server does not answer
├── NotCollected           the settings do not allow to keep this
├── AddressRefused         a web address leads where none from outside may
├── PageUnavailable        a web server gives no page: it says so, or it fails
├── LimitExceeded          what the web sends is too large, or takes too long
├── RobotsDisallowed       a site's robots.txt asks not to read a page
├── BrowserMissing         a page needs a browser, and none runs here
└── NotFound               the named thing (a deployment, a chunk) does not exist
"""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_SHOWN = 80  # characters of a wrong value


class ThirdShiftError(Exception):
    """Base of everything we raise on purpose; shown to people without a traceback.

    `remedy` is the one command or step that mends it, where there is one.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what} {remedy}".strip())


class SettingsInvalid(ThirdShiftError):
    """A key of the settings file or environment is wrong."""


class CatalogueInvalid(ThirdShiftError):
    """deployments.yaml says something we cannot run."""


class AnalysisInvalid(ThirdShiftError):
    """The file of an analysis says something we cannot do."""


class SourceUnavailable(ThirdShiftError):
    """Data could not be fetched: no answer, no access, no such file."""


class DataInvalid(ThirdShiftError):
    """Data came, and are not what they should be."""


class RuntimeUnavailable(ThirdShiftError):
    """No model server answers, or it stopped answering."""


class ModelMissing(ThirdShiftError):
    """The named model is not on this machine."""


class ModelUnsupported(ThirdShiftError):
    """A model or an adapter has a part that cannot be converted."""


class AdapterRefused(ThirdShiftError):
    """A version must not be served, and why."""


class ContextTooLong(ThirdShiftError):
    """The prompt does not fit the model's context."""


class OutOfMemory(ThirdShiftError):
    """The model does not fit the memory budget."""


class ToolsUnsupported(ThirdShiftError):
    """The model cannot call tools of its own accord."""


class AnswerInvalid(ThirdShiftError):
    """A structured answer does not fit its schema."""


class EmbeddingMismatch(ThirdShiftError):
    """The store's vectors come from another model."""


class DocumentUnreadable(ThirdShiftError):
    """A file cannot become text."""


class DatasetInvalid(ThirdShiftError):
    """A row of a data set cannot be trained on, or there are none."""


class TooLittleData(ThirdShiftError):
    """Too little was taught to train and to judge; it says how much is missing."""


class TrainingFailed(ThirdShiftError):
    """A training ended without an adapter: it diverged, or it died."""


class FeedBroken(ThirdShiftError):
    """A watched source does not give what it should."""


class SecretMissing(ThirdShiftError):
    """The keychain does not hold it, or there is no keychain."""


class EvaluationFailed(ThirdShiftError):
    """A candidate could not be judged."""


class StoreBusy(ThirdShiftError):
    """Another process holds the store's lock."""


class DiskFull(ThirdShiftError):
    """Too little room to write safely."""


class PortTaken(ThirdShiftError):
    """A port we need belongs to someone else."""


class PrefectUnavailable(ThirdShiftError):
    """The Prefect server does not answer."""


class NotCollected(ThirdShiftError):
    """The settings do not allow to keep this."""


class AddressRefused(ThirdShiftError):
    """A web address leads where none from outside may."""


class PageUnavailable(ThirdShiftError):
    """A web server gives no page: it says so, or it fails.

    `status` is HTTP's, 0 where there was no answer; `retry_at` when to ask again, if that was
    said or worked out; `passing` whether asking again may help at all.
    """

    def __init__(
        self,
        what: str,
        remedy: str = "",
        *,
        status: int = 0,
        retry_at: datetime | None = None,
        passing: bool = False,
    ) -> None:
        self.status = status
        self.retry_at = retry_at
        self.passing = passing
        super().__init__(what, remedy)


class LimitExceeded(ThirdShiftError):
    """What the web sends is too large, or takes too long."""


class RobotsDisallowed(ThirdShiftError):
    """A site's robots.txt asks not to read a page."""


class BrowserMissing(ThirdShiftError):
    """A page needs a browser, and none runs here."""


class NotFound(ThirdShiftError):
    """The named thing does not exist."""


def explained(error: "ValidationError") -> str:
    """Return a validation error as sentences for people: each key, its value, what is allowed."""
    faults = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        allowed = fault["msg"].removeprefix("Value error, ")
        shown = repr(fault["input"])
        shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
        missing = fault["type"] == "missing"
        value = "is missing" if missing else f"= {shown} is not allowed: {allowed}"
        faults.append(f"{key} {value}." if key else f"{allowed}.")
    return " ".join(faults)
