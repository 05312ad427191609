"""A run's life: let in, metered, its outcome kept in the ledger and shown as Prefect's state."""

import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec

from tasks.runs.admission import admitted, started_by_hand, terms_of
from tasks.runs.energy import metering
from tasks.runs.ledger import history, keep
from tasks.runs.preemption import PutOff
from thirdshift.errors import ThirdShiftError
from thirdshift.outcome import Outcome, OutcomeStatus, Ran
from thirdshift.records import content_hash, now
from thirdshift.settings import settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

__all__ = ["accountable", "history", "keep"]

P = ParamSpec("P")

_NAMES = {"done": "Done", "nothing_to_do": "NothingToDo", "skipped": "Skipped"}
_PUT_OFF: dict[str, OutcomeStatus] = {"Deferred": "deferred", "Preempted": "preempted"}


def accountable(body: Callable[P, Awaitable[Outcome]]) -> Callable[P, Awaitable["State[Any]"]]:
    """Wrap a flow's body: its outcome is kept in the ledger and becomes the run's state.

    A run whose gate is closed does not begin: it becomes Deferred, ends its process and comes
    back by itself; a heavy one whose gate closes meanwhile becomes Preempted likewise. An
    error of ours is an outcome too (`failed`, with its remedy); anything else is kept as
    failed and raised, so that Prefect records the traceback and retries by policy.
    """

    @functools.wraps(body)
    async def run(*args: P.args, **kwargs: P.kwargs) -> "State[Any]":
        attempt = _Attempt(body.__name__)
        try:
            with attempt.under_way():
                outcome = await body(*args, **kwargs)
        except PutOff as put_off:
            await attempt.put_off(put_off)
        except _Waiting as waits:
            attempt.keep_try(waits.outcome)
            raise waits.signal from None
        except ThirdShiftError as error:
            outcome = Outcome(status="failed", reason=str(error))
        except Exception as error:
            attempt.keep(Outcome(status="failed", reason=repr(error)))
            raise
        attempt.keep(outcome)
        return _state(outcome)

    return run


@contextmanager
def waiting(reason: str, produced: Sequence[str]) -> Iterator[None]:
    """Keep as `waiting` in the ledger what suspends its run within: a person has to decide."""
    from prefect.exceptions import Pause

    try:
        yield
    except Pause as signal:
        outcome = Outcome(status="waiting", reason=reason, produced=list(produced))
        raise _Waiting(outcome, signal) from None


class _Waiting(Exception):
    """A run suspends itself, with this outcome, by Prefect's signal."""

    def __init__(self, outcome: Outcome, signal: BaseException) -> None:
        self.outcome = outcome
        self.signal = signal
        super().__init__(outcome.reason)


class _Attempt:
    """One try of a run: a run that was put off has several, each with a row in the ledger."""

    def __init__(self, flow: str) -> None:
        from prefect.runtime import flow_run

        self._flow = flow
        self._started, self._clock = now(), time.monotonic()
        self._joules: float | None = None
        self._name = str(flow_run.name or flow)
        self._id = str(flow_run.id or content_hash(flow, self._started.isoformat()))

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Let the run in, and meter it; raises PutOff where it may not begin or go on."""
        from prefect.context import FlowRunContext

        context = FlowRunContext.get()
        this = context.flow_run if context else None
        with metering() as meter:
            try:
                if this is None or this.deployment_id is None:
                    yield
                    return
                terms = terms_of(str(this.deployment_id), started_by_hand(this))
                with admitted(terms, self._name, meter):
                    yield
            finally:
                self._joules = meter.joules()

    def keep(self, outcome: Outcome, identity: str = "") -> None:
        """Add this try to the ledger."""
        ran = Ran(
            id=identity or self._id,
            flow=self._flow,
            run_name=self._name,
            started_at=self._started,
            seconds=time.monotonic() - self._clock,
            joules=self._joules,
            outcome=outcome,
        )
        keep(ran)

    def keep_try(self, outcome: Outcome) -> None:
        """Add a try that is not the last: a row of its own, which the last must not replace."""
        self.keep(outcome, f"{self._id}@{self._started.isoformat()}")

    async def put_off(self, put_off: PutOff) -> NoReturn:
        """Schedule the run for its next try, and end this one; the process is then free."""
        from prefect.client.orchestration import get_client
        from prefect.context import FlowRunContext
        from prefect.exceptions import Abort
        from prefect.runtime import flow_run
        from prefect.states import Scheduled

        local = put_off.next_try.astimezone(settings().zone)
        reason = f"{put_off.reason}. Next try {local:%a %H:%M}."
        outcome = Outcome(status=_PUT_OFF[put_off.name], reason=reason)
        self.keep_try(outcome)
        state: State[Any] = Scheduled(
            name=put_off.name, scheduled_time=put_off.next_try, message=reason
        )
        async with get_client() as client:
            # By force: the rules know no way from Running back to Scheduled.
            await client.set_flow_run_state(flow_run.id, state, force=True)
        if (context := FlowRunContext.get()) and context.flow_run:
            context.flow_run.state = state  # the engine logs it as what the run ended in,
        logging.getLogger("prefect.flow_runs").addFilter(_no_error)  # and as an error
        raise Abort(reason)


def _no_error(record: logging.LogRecord) -> bool:
    """Let the last line of a run that was put off pass as information."""
    if record.getMessage().startswith("Finished in state"):
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


def _state(outcome: Outcome) -> "State[Any]":
    from prefect.states import Completed, Failed

    if outcome.status == "failed":
        return Failed(message=outcome.reason, data=outcome)
    return Completed(name=_NAMES[outcome.status], message=outcome.reason, data=outcome)
