"""Steps: work of a flow as tasks of Prefect, each in a thread."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from prefect import task
from prefect.states import Completed

from tasks.runs.preemption import PutOff
from thirdshift.errors import TooLittleData

P = ParamSpec("P")
T = TypeVar("T")


def step(name: str, work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Return a task in Prefect that works in a thread.

    To yield, or to have too little to learn from, is no failure of a step: its state says so,
    and what the work raised is raised for the flow.
    """

    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        raised: list[BaseException] = []

        @task(name=name)
        def worked() -> Any:
            try:
                return work(*args, **kwargs)
            except (PutOff, TooLittleData) as reason:
                raised.append(reason)
                name_of_state = reason.name if isinstance(reason, PutOff) else "NothingToDo"
                return Completed(name=name_of_state, message=str(reason))

        output = await asyncio.to_thread(worked)
        if raised:
            raise raised[0]
        return cast("T", output)

    return run
