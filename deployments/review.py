"""Carry the owner's decision on a draft to the run that waits for it, or carry it out here.

The page will use this too: `decide` is all there is.
"""

import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from deployments.environment import apply
from tasks.newsroom import drafts
from thirdshift.errors import PrefectUnavailable, ThirdShiftError
from thirdshift.newsroom import Draft, Review
from thirdshift.settings import settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

_PATIENCE = 60  # seconds until the resumed run has published
_LOOK = 0.2


def decide(draft_id: str, review: Review) -> Draft:
    """Resume the draft's run with the decision, wait until it is carried out; return the draft.

    Where Prefect no longer knows the run it is carried out here: a draft outlives Prefect's
    database. Raises PrefectUnavailable where no server answers.
    """
    draft = drafts.get(draft_id)
    drafts.check(draft, review)
    if draft.run and _resumed(draft, review):
        return _decided(draft)
    return drafts.settle(draft.id, review)


def _resumed(draft: Draft, review: Review) -> bool:
    """Tell whether the run took the decision; False where no run waits for it."""
    apply()
    import httpx
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.exceptions import ObjectNotFound

    try:
        with SyncPrefectClient(f"{settings().prefect_url}/api") as client:
            state = client.read_flow_run(UUID(draft.run)).state
            if state is None or not state.is_paused():
                return False
            return _resume(client, draft, review.model_dump())
    except ObjectNotFound:
        return False
    except (httpx.TransportError, RuntimeError) as error:
        raise PrefectUnavailable(
            f"Prefect at {settings().prefect_url} does not answer.", "Start it: `thirdshift up`."
        ) from error


def _resume(client: "SyncPrefectClient", draft: Draft, decision: dict[str, Any]) -> bool:
    result = client.resume_flow_run(UUID(draft.run), run_input=decision)
    if result.status.value != "ACCEPT":
        reason = getattr(result.details, "reason", "") or result.status.value
        raise ThirdShiftError(f"Prefect did not take the decision: {reason}.")
    return True


def _decided(draft: Draft) -> Draft:
    deadline = time.monotonic() + _PATIENCE
    while (present := drafts.get(draft.id)).status == "pending":
        if time.monotonic() > deadline:
            raise ThirdShiftError(
                f"The decision on {draft.id} was taken, but is not carried out yet.",
                "`thirdshift status` shows whether the runner is up.",
            )
        time.sleep(_LOOK)
    return present
