"""Records of a training: what it says to its parent while it runs, and for good when it is done.

Parent and child exchange lines of JSON: the Job goes in, a Plan comes out, a Go goes in, then
Progress comes out until the end is a Done, a Stopped or a Failed.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from tasks.learning.training.recipes import Recipe
from thirdshift.records import Record


class ToldToStop(BaseException):
    """Not an error: a signal came, and what there was to save is saved."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration
        super().__init__(iteration)


class Job(Record):
    """What to train on what, and where to put it. Paths are absolute."""

    base: Path
    data: Path
    out: Path
    start: Path | None
    recipe: Recipe
    checkpoints: Path
    fingerprint: str
    hashes: dict[str, str]


class Plan(Record):
    """The largest batch: rows of cells, trained tokens among them; bounds the memory it takes."""

    kind: Literal["plan"] = "plan"
    rows: int
    cells: int
    picks: int


class Go(Record):
    """The parent made room: begin."""

    gradient_checkpointing: bool
    estimate: int  # bytes


class Progress(Record):
    """One iteration. Tokens are those of the examples: padding counts for nothing."""

    kind: Literal["progress"] = "progress"
    iteration: int
    iterations: int
    loss: float
    validation_loss: float | None = None  # where it was just measured
    margin: float | None = None  # DPO: β × how much more the chosen answers gained, in nats
    tokens: int
    trained_tokens: int
    tokens_per_second: float
    trained_tokens_per_second: float
    peak_gb: float


class Done(Record):
    """The adapter lies where it should."""

    kind: Literal["done"] = "done"


class Stopped(Record):
    """It was told to stop; the next try goes on after this iteration."""

    kind: Literal["stopped"] = "stopped"
    iteration: int


class Failed(Record):
    """An error of ours."""

    kind: Literal["failed"] = "failed"
    error: str
    what: str
    remedy: str


Message = TypeAdapter[Plan | Progress | Done | Stopped | Failed](
    Annotated[Plan | Progress | Done | Stopped | Failed, Field(discriminator="kind")]
)


class Validation(Record):
    """One look at the validation data; accuracy and margin where it holds preferences."""

    iteration: int
    loss: float
    accuracy: float | None = None
    margin: float | None = None


class History(BaseModel):
    """What happened so far; it is saved with each checkpoint."""

    losses: list[float] = Field(default_factory=list)
    margins: list[float] = Field(default_factory=list)
    validation: list[Validation] = Field(default_factory=list)
    tokens: int = 0
    trained_tokens: int = 0
    seconds: float = 0.0  # in iterations alone
    peak_bytes: int = 0
    resumed: int = 0  # how often it went on from a checkpoint

    @property
    def iteration(self) -> int:
        """How many iterations are done."""
        return len(self.losses)


class Manifest(Record):
    """What an adapter was made of, so that it can be made again, bit for bit."""

    fingerprint: str
    hashes: dict[str, str]  # of the base's, the data's and the starting adapter's files
    versions: dict[str, str]
    recipe: Recipe
    counts: dict[str, int]
    modules: list[str]
    packed: bool
    gradient_checkpointing: bool
    estimate_bytes: int
    ended: str  # why it ended when it did
    history: History
    made_at: datetime
