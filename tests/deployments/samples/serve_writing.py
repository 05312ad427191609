"""A runner that serves the writing of drafts, and nothing else."""

import asyncio

from deployments.catalogue import Deployment
from deployments.environment import apply
from deployments.runner import serve
from thirdshift.settings import settings

apply()
settings().run_path.mkdir(parents=True, exist_ok=True)
entry = Deployment(name="write-draft", why="-", entrypoint="flows.write_draft.write_draft")
asyncio.run(serve.serve([entry]))
