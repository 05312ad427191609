"""Eviction: the memory budget of all models together, and who leaves when another comes."""

import psutil

from tasks.models.protocol import ModelRuntime
from thirdshift.errors import OutOfMemory
from thirdshift.settings import settings


def budget() -> int:
    """Return how many bytes all models together may take."""
    return int(settings().models.memory_share * psutil.virtual_memory().total)


def make_room(models: ModelRuntime, name: str, need: int, *, keep_sentinel: bool = True) -> None:
    """Unload specialists, the longest unused first, until `need` bytes fit the budget.

    The sentinel goes last, or stays. Raises OutOfMemory, with the numbers, where that is not
    enough.
    """
    others = [model for model in models.loaded() if model.name != name]
    for model in sorted(others, key=lambda other: (other.tier == "sentinel", other.used)):
        fits = need + sum(other.bytes for other in others) <= budget()
        if fits or (keep_sentinel and model.tier == "sentinel"):
            break
        models.unload(model.name)
        others.remove(model)
    taken = sum(other.bytes for other in others)
    if need + taken > budget():
        raise OutOfMemory(
            f"{name} needs {_gb(need)}, and {_gb(taken)} of the budget of {_gb(budget())} "
            "are taken.",
            "Choose a smaller model, or raise models.memory_share.",
        )


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
