"""Status: the processes, what memory holds and the last runs, as plain values."""

from datetime import timedelta
from typing import Any

from thirdshift.records import now
from thirdshift.settings import settings

_LOOK_BACK = timedelta(days=2)


def standing() -> dict[str, Any]:
    """Return processes, memory and the last runs, as plain values."""
    from deployments.services import supervise
    from tasks.reports.shift import memory_figures
    from tasks.runs.outcomes import history

    figures = memory_figures()
    runs = history(now() - _LOOK_BACK)[-10:]
    return {
        "home": str(settings().home),
        "prefect": settings().prefect_url,
        "processes": [state.model_dump(mode="json") for state in supervise.status()],
        "memory": {
            "documents": sum(figures.documents.values()),
            "chunks": figures.chunks,
            "megabytes": figures.megabytes,
        },
        "runs": [
            {
                "at": run.started_at.astimezone(settings().zone).isoformat(timespec="seconds"),
                "flow": run.flow,
                "status": run.outcome.status,
                "reason": run.outcome.reason,
                "seconds": round(run.seconds, 2),
            }
            for run in runs
        ],
    }
