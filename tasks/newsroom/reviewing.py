"""Human review: the run is suspended, its process ends, the owner's decision brings it back."""

from typing import Literal

from prefect.input import RunInput

from tasks.newsroom import drafts
from tasks.runs.outcomes import waiting
from thirdshift.newsroom import Draft, Review

KEY = "review"


class ReviewForm(RunInput):
    """What Prefect's own form asks; who resumes the run without a verdict has not decided."""

    verdict: Literal["approve", "edit", "reject"]
    text: str = ""
    note: str = ""


async def reviewed(draft: Draft) -> Review:
    """Return the owner's decision, or suspend the run until there is one.

    It waits for as long as it takes. A draft that was decided on without Prefect needs none.
    """
    from prefect import suspend_flow_run

    if draft.status != "pending":
        verdict: Literal["approve", "reject"] = (
            "reject" if draft.status == "rejected" else "approve"
        )
        return Review(verdict=verdict, note=draft.note)
    path = drafts.file_of(draft)
    form = ReviewForm.with_initial_data(
        description=f"**{draft.title}**\n\n{draft.text}\n\nThe draft is {path}. `edit` publishes "
        "the text below, or where it is empty what the file says now."
    )
    reason = f"“{draft.title}” waits for you: `thirdshift drafts show {draft.id}`."
    with waiting(reason, [str(path)]):
        decided = await suspend_flow_run(wait_for_input=form, key=KEY)  # type: ignore[misc]
    return Review(verdict=decided.verdict, text=decided.text, note=decided.note)
