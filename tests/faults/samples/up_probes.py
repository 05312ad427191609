"""The real supervisor, whose runner serves the probes. Arguments: the programs."""

import sys

from deployments.services import supervise
from deployments.services.programs import PROGRAMS

PROGRAMS["runner"] = ("serve_probes", "", 45)
supervise.up(sys.argv[1:], foreground=True)
