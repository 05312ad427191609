"""A runner process over the flows of sampled.py; arguments: the names to serve."""

import asyncio
import os
import sys

from deployments.catalogue import Deployment
from deployments.environment import apply
from deployments.runner import serve
from thirdshift.settings import settings

apply()
settings().run_path.mkdir(parents=True, exist_ok=True)
retries = int(os.environ.get("SAMPLED_RETRIES", "0"))
entries = [
    Deployment(name=name, why="-", entrypoint=f"sampled.{name}", retries=retries)
    for name in sys.argv[1:]
]
if to := os.environ.get("SAMPLED_HOURLY"):
    hourly = Deployment(
        name="hourly",
        why="-",
        entrypoint="sampled.hourly",
        schedule="0 * * * *",
        catch_up="once",
        max_lateness=2,
        parameters={"to": to},
    )
    entries.append(hourly)
asyncio.run(serve.serve(entries))
