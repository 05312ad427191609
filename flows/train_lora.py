"""Nightly fine-tuning (LoRA): the model learns what its owner accepted; the gate decides."""

from prefect import flow

from tasks.learning.pipeline import learn
from tasks.runs.outcomes import accountable
from thirdshift.outcome import Outcome


@flow(flow_run_name="train LoRA")
@accountable
async def train_lora() -> Outcome:
    """Train on what is new, judge it beside its base, serve it or say why not.

    Ends as `done`, served or refused, or as `nothing_to_do` where too little was taught.
    """
    return await learn("lora")
