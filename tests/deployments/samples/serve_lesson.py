"""A runner that serves the nightly lesson on the machine of gated.py, and nothing else."""

import asyncio

import gated  # noqa: F401  (its power supply)

from deployments.catalogue import Deployment
from deployments.environment import apply
from deployments.runner import serve
from flows.train_lora import train_lora  # noqa: F401  (what is deployed, from this module)
from tasks.runs.gate import Gate
from thirdshift.settings import settings


def main() -> None:
    """Serve until a signal."""
    apply()
    settings().run_path.mkdir(parents=True, exist_ok=True)
    entry = Deployment(
        name="train-lora",
        why="-",
        entrypoint="serve_lesson.train_lora",
        gate=Gate(ac_only=True, thermal_ceiling="fair", retry_minutes=2 / 60),
        heavy=True,
    )
    asyncio.run(serve.serve([entry]))


if __name__ == "__main__":
    main()
