"""A runner process over the flows of gated.py: on mains only, `walk` one at a time."""

import asyncio

from deployments.catalogue import Deployment
from deployments.environment import apply
from deployments.runner import serve
from tasks.runs.gate import Gate
from thirdshift.settings import settings

apply()
settings().run_path.mkdir(parents=True, exist_ok=True)
gate = Gate(ac_only=True, thermal_ceiling="fair", retry_minutes=2 / 60)
absent = Gate(min_idle_minutes=60, unavailable="closed")
entries = [
    Deployment(name="idle", why="-", entrypoint="gated.idle", gate=absent),
    Deployment(name="gated", why="-", entrypoint="gated.gated", gate=gate),
    Deployment(name="walk", why="-", entrypoint="gated.walk", gate=gate, heavy=True),
]
asyncio.run(serve.serve(entries))
