"""Let the owner's verdicts tell in memory: weights, flags and corrections, without training."""

import asyncio
from collections import Counter

from prefect import flow, task
from prefect.artifacts import acreate_table_artifact

from tasks.feedback import refinement
from tasks.feedback.rankings import Rankings, comparison, rankings
from tasks.runs.outcomes import accountable
from thirdshift.learning import Refinement
from thirdshift.outcome import Outcome
from thirdshift.records import now
from thirdshift.settings import settings

refine = task(name="weigh, flag and correct")(refinement.refine)


@flow(flow_run_name="refine memory")
@accountable
async def refine_memory() -> Outcome:
    """Bring memory in line with the verdicts, and show what changed with ranks before and after."""
    verdicts = refinement.considered()
    if not verdicts:
        return Outcome(status="nothing_to_do", reason="No answer has a verdict yet.")
    before = await asyncio.to_thread(rankings, verdicts)
    today = now().astimezone(settings().zone).date()
    refined = await asyncio.to_thread(refine, today)
    if refined is None:
        return Outcome(status="nothing_to_do", reason="Memory is as the verdicts say.")
    after = await asyncio.to_thread(rankings, verdicts)
    await _show(refined, before, after)
    flags = len(refinement.flagged())
    return Outcome.checked(
        f"{_counted(refined)}; {flags} passages await your review.",
        [f"refinement {refined.id[:8]}: `thirdshift refine undo` takes it back"],
        refining_again_changes_nothing=refinement.refine(today) is None,
        the_journal_has_it=refined.id in {entry.id for entry in refinement.refinements()},
    )


async def _show(refined: Refinement, before: Rankings, after: Rankings) -> None:
    table = await asyncio.to_thread(comparison, refined.changes, before, after)
    caption = "What the verdicts changed in memory; ranks are for the question, 1 is first."
    await acreate_table_artifact(table, key="refined-memory", description=caption)


def _counted(refined: Refinement) -> str:
    kinds = {"weight": "weights", "status": "flags", "correction": "corrections"}
    counts = Counter[str](change.of for change in refined.changes)
    return ", ".join(f"{counts[of]} {name} changed" for of, name in kinds.items() if counts[of])
