"""Keep the memory on disk small and quick: purge, compact, index, and say when it grows."""

import asyncio

from prefect import flow, get_run_logger, task

from tasks.feedback import turns
from tasks.learning.weights import base as base_weights
from tasks.machine import disk
from tasks.memory import chunks, maintenance
from tasks.memory.store import store
from tasks.runs.outcomes import accountable
from tasks.tables import loading
from tasks.web import cache
from thirdshift.outcome import Outcome
from thirdshift.settings import settings

purge = task(name="purge what was deleted long ago")(maintenance.purge)
compact = task(name="compact and index")(maintenance.compact)


def sweep() -> int:
    """Remove copies that can be made again and that nothing has used for long; return bytes."""
    return loading.sweep() + base_weights.sweep() + disk.sweep_parts(settings().home)


@flow(flow_run_name="maintain the store")
@accountable
async def maintain_store() -> Outcome:
    """Purge what was deleted long ago, compact, bring the indexes up to date."""
    await asyncio.to_thread(cache.prune)
    swept = await asyncio.to_thread(sweep)
    await asyncio.to_thread(turns.purge_turns)
    get_run_logger().info("%d bytes of copies swept that nothing had used for long.", swept)
    if not store().count("chunks"):
        return Outcome(status="nothing_to_do", reason="Memory is empty.")
    purged = await asyncio.to_thread(purge)
    rows = store().count("chunks")
    before, after = await asyncio.to_thread(compact)
    get_run_logger().info("%d chunks purged, %d -> %d bytes.", purged, before, after)
    alarm = settings().store.alarm_gb * 1e9
    reason = f"{purged} chunks purged; {before / 1e6:,.1f} MB became {after / 1e6:,.1f} MB."
    return Outcome.checked(
        reason,
        [],
        no_chunk_was_lost=store().count("chunks") >= rows,
        every_chunk_is_indexed=chunks.unindexed() == 0,
        the_store_is_smaller_than_its_alarm=after < alarm,
    )
