"""Criteria of the gate: a gain beyond chance, or no loss, in pairs of measurements."""

from collections.abc import Sequence

from tasks.learning.evaluation.bootstrap import interval
from thirdshift.evaluation import Criterion, Interval, Unit
from thirdshift.settings import settings

_FEW = 5  # items, that differ too little among each other to show how sure they are
Pair = tuple[Sequence[float], Sequence[float]]  # of the base and of the candidate, item by item


def gain(name: str, unit: Unit, pair: Pair, clusters: Sequence[int]) -> Criterion:
    """Want a gain beyond chance."""
    change = interval(changes(pair), clusters)
    return criterion(name, unit, pair, change, "a gain beyond chance", change.low > 0)


def no_loss(name: str, unit: Unit, pair: Pair, clusters: Sequence[int] = ()) -> Criterion:
    """Want no loss that is beyond chance, and none beyond the tolerance in the mean.

    To be sure of none at all would take hundreds of items: the best adapter would be refused.
    (docs/log.md, 2026-11-25 "A gate that can say yes")
    """
    change, limit = interval(changes(pair), clusters), settings().judging.tolerance
    wanted = f"no loss beyond chance, nor above {limit:g}"
    held = change.mean >= -limit and change.high >= 0
    return criterion(name, unit, pair, change, wanted, held)


def at_most(limit: float, name: str, unit: Unit, pair: Pair) -> Criterion:
    """Want no more than `limit` to be lost in the mean: what is taught may cost as much."""
    change = interval(changes(pair))
    return criterion(name, unit, pair, change, f"at most {limit:g} lost", change.mean >= -limit)


def no_certain_loss(name: str, unit: Unit, pair: Pair) -> Criterion:
    """Want no loss that is beyond the tolerance for certain: for groups too small to be sure.

    Of very few, one more that is kept takes part: two items, both lost, could be bad luck.
    """
    change, limit = interval(changes(pair)), settings().judging.tolerance
    if change.n < _FEW:
        change = change.model_copy(update={"high": interval([*changes(pair), 0.0]).high})
    return criterion(
        name, unit, pair, change, f"no sure loss beyond {limit:g}", change.high >= -limit
    )


def at_least_half(name: str, unit: Unit, base: float, candidate: float, n: int) -> Criterion:
    """Want at least half of what the base has, of a figure that has no interval."""
    difference = candidate - base
    change = Interval(mean=difference, low=difference, high=difference, n=n)
    held = candidate >= base / 2
    return criterion(name, unit, ([base], [candidate]), change, "half of the base's", held)


def changes(pair: Pair) -> list[float]:
    """Return candidate minus base, item by item."""
    return [new - old for old, new in zip(*pair, strict=True)]


def criterion(
    name: str, unit: Unit, pair: Pair, change: Interval, wanted: str, held: bool
) -> Criterion:
    """Return the record of what was measured, wanted and found."""
    base, candidate = (sum(values) / len(values) for values in pair)
    return Criterion(
        name=name,
        unit=unit,
        base=base,
        candidate=candidate,
        change=change,
        wanted=wanted,
        held=held,
    )
