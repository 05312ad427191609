"""The real runner process, with the probes instead of the catalogue."""

from deployments.catalogue import Deployment
from deployments.runner import serve


def probes() -> list[Deployment]:
    return [Deployment(name=n, why="-", entrypoint=f"probe.{n}") for n in ("tick", "hold")]


serve.catalogue = probes
serve.main()
