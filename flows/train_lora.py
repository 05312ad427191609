"""Teach the model by night what its owner accepted by day; the gate decides."""

from prefect import flow

from tasks.outcomes import accountable
from tasks.pipeline import learn
from thirdshift.outcome import Outcome


@flow(flow_run_name="train LoRA")
@accountable
async def train_lora() -> Outcome:
    """Train on what is new, judge it beside its base, serve it or say why not."""
    return await learn("lora")
