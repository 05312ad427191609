"""Gates explained: why a deployment may start now, or may not, sensor by sensor."""

from deployments.catalogue import find
from tasks.runs import heavy_slot
from tasks.runs.admission import night_spending, survey
from tasks.runs.gate import Condition, Decision
from thirdshift.records import Record
from thirdshift.settings import settings


class Explanation(Record):
    """A decision about a deployment, taken now; nothing is started by it."""

    deployment: str
    heavy: bool
    decision: Decision

    @property
    def sentence(self) -> str:
        """The decision in a sentence."""
        if self.decision.open:
            return f"{self.deployment} may start."
        if self.decision.next_try is None:
            return f"{self.deployment} waits for the heavy slot."
        local = self.decision.next_try.astimezone(settings().zone)
        return f"{self.deployment} may not start. Next try {local:%A %H:%M}."


def explain(name: str) -> Explanation:
    """Decide now for a scheduled run of the deployment, with every sensor that was asked."""
    entry = find(name)
    decision = survey(entry.gate, night_spending(entry.gate))
    if entry.heavy:
        busy = heavy_slot.holder()
        slot = Condition(
            sensor="heavy slot", wanted="free", sensed=busy or "free", held=busy is None
        )
        decision = decision.model_copy(
            update={
                "conditions": [*decision.conditions, slot],
                "open": decision.open and slot.held,
            }
        )
    return Explanation(deployment=name, heavy=entry.heavy, decision=decision)
