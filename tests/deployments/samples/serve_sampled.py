"""A runner process over the flows of sampled.py; arguments: the names to serve."""

import asyncio
import sys

from deployments import serve
from deployments.catalogue import Deployment
from deployments.environment import apply
from thirdshift.settings import settings

apply()
settings().run_path.mkdir(parents=True, exist_ok=True)
entries = [Deployment(name=name, why="-", entrypoint=f"sampled.{name}") for name in sys.argv[1:]]
asyncio.run(serve.serve(entries))
