"""The words of an analysis: the specialist words computed findings, arithmetic checks it."""

import json
import re
from collections.abc import Sequence

from pydantic import BaseModel, Field

from tasks.analysis.insights import Insights
from tasks.analysis.sentences import named, sentence
from tasks.grounding.findings import faults
from tasks.models.protocol import ModelRuntime
from tasks.models.runtime import runtime, structured
from tasks.text.figures import day, figure
from thirdshift.analysis import (
    Analysis,
    Answered,
    Narrative,
    Told,
)
from thirdshift.errors import ThirdShiftError
from thirdshift.findings import Finding
from thirdshift.settings import settings

PROMPT = """You word findings about data for their owner, in {language}.
Findings, as JSON:
{facts}
For each finding write one short sentence. Name its measure and its members as they are written.
Use only its own numbers, as they are written, with their units: "from" the number before, "to" the
number after, "by" the change. Say its direction. Dates as they are written. No reasons, no advice,
no comparison with other findings."""

_TAKEAWAYS = 3
_TEMPERATURES = (0.0, 0.6)  # of the two tries
_SOUGHT = (
    (r"trend|long run|over the years|傾向|長期", ("trend", "shift")),
    (r"season|weekday|pattern|cycle|季節|曜日|周期", ("seasonality",)),
    (r"unusual|anomal|outlier|strange|spike|異常|外れ", ("anomaly",)),
    (r"missing|quality|gaps?\b|欠け|欠測|品質", ("quality",)),
    (r"related|correlat|together|関係|相関", ("correlation",)),
)


class Sentence(BaseModel):
    """The model's sentence on one finding."""

    finding: int
    sentence: str = Field(max_length=300)


class Draft(BaseModel):
    """What a model answers."""

    sentences: list[Sentence]


def narrate(
    insights: Insights, analysis: Analysis, models: ModelRuntime | None = None
) -> Narrative:
    """Return three takeaways and an answer to each question.

    The model has two tries at each sentence; one that says anything its finding does not is
    replaced by the plain sentence, and marked as such. Without a model that may be trusted
    with words all are plain.
    """
    chosen = takeaways(insights)
    asked = [(question, sought(question, insights, analysis)) for question in analysis.questions]
    wanted = list(
        {id(one): one for one in [*chosen, *(f for _, some in asked for f in some)]}.values()
    )
    worded, why = _worded(wanted, insights, analysis, models)

    def told(finding: Finding) -> Told:
        said = worded.get(id(finding))
        plain = Told(text=sentence(finding, analysis), by="plain")
        return Told(text=said, by="model") if said else plain

    answers = [Answered(question=q, said=[told(one) for one in some]) for q, some in asked]
    return Narrative(takeaways=[told(one) for one in chosen], answers=answers, why_plain=why)


def takeaways(insights: Insights) -> list[Finding]:
    """Return the three findings that matter most: news first, each about something else."""
    latest = max((day(change.total.end) for change in insights.changes), default="")
    since = min((day(change.total.start) for change in insights.changes), default="")
    events = [one for one in insights.findings if one.kind in ("anomaly", "shift")]
    fresh = [one for one in events if since <= day(one.end) <= latest or day(one.end) > latest]
    moved = [change.total for change in insights.changes]
    movers = [change.movers[0] for change in insights.changes[:1] if change.movers]
    lasting = [one for one in insights.findings if one.kind in ("trend", "seasonality")]
    ranked = [*fresh[:1], *moved[:1], *movers, *events[:1], *lasting, *events, *moved]
    ranked += insights.findings
    return list({id(one): one for one in ranked}.values())[:_TAKEAWAYS]


def sought(question: str, insights: Insights, analysis: Analysis) -> list[Finding]:
    """Return the findings that say most about a question."""
    measures = [one.column for one in analysis.measures if _named(question, one.name, one.column)]
    about = measures or [analysis.measures[0].column]
    for pattern, kinds in _SOUGHT:
        if re.search(pattern, question, re.IGNORECASE):
            found = [one for one in insights.findings if one.kind in kinds]
            return [one for one in found if set(one.measure.split(" ~ ")) & set(about)][:3]
    changes = [change for change in insights.changes if change.total.measure in about]
    return [
        one
        for change in changes[:1]
        for one in (change.total, *_pushing(change.movers, change.total))
    ]


def _pushing(movers: Sequence[Finding], total: Finding) -> list[Finding]:
    """Return those that moved the total its way, the strongest first."""
    return [one for one in movers if one.direction == total.direction][:2]


def _named(question: str, *names: str) -> bool:
    return any(name.lower() in question.lower() for name in names)


def _worded(
    findings: Sequence[Finding],
    insights: Insights,
    analysis: Analysis,
    models: ModelRuntime | None,
) -> tuple[dict[int, str], str]:
    """Return the model's sentences that stand, by finding, and why there are none."""
    if not findings:
        return {}, ""
    try:
        models = models or runtime()
        if models.billions("specialist") < settings().models.small_below:
            return {}, "The model here is too small to be trusted with words: all are plain."
        worded: dict[int, str] = {}
        for temperature in _TEMPERATURES:
            open_ones = [one for one in findings if id(one) not in worded]
            if open_ones:
                worded |= _tried(open_ones, insights, analysis, temperature)
    except ThirdShiftError as error:
        return {}, f"No model worded this: {error.what} All sentences are plain."
    return worded, "" if worded else "No sentence of the model stood the check: all are plain."


def _tried(
    findings: Sequence[Finding], insights: Insights, analysis: Analysis, temperature: float
) -> dict[int, str]:
    facts = [_facts(number, one, analysis) for number, one in enumerate(findings, 1)]
    prompt = PROMPT.format(
        language={"en": "English", "ja": "Japanese"}[analysis.language],
        facts=json.dumps(facts, ensure_ascii=False, indent=1),
    )
    draft = structured("specialist", Draft, prompt, temperature=temperature)
    names = _names(insights, analysis)
    worded = {}
    for said in draft.sentences:
        if not 0 < said.finding <= len(findings):
            continue
        finding = findings[said.finding - 1]
        if not faults(said.sentence, finding, _own(finding, analysis), names):
            worded[id(finding)] = said.sentence.strip()
    return worded


def _facts(number: int, finding: Finding, analysis: Analysis) -> dict[str, object]:
    return {
        "finding": number,
        "kind": finding.kind,
        "measure": " and ".join(named(part, analysis) for part in finding.measure.split(" ~ ")),
        "members": dict(finding.members),
        "direction": finding.direction,
        "start": day(finding.start),
        "end": day(finding.end),
        "numbers": {
            one.name: figure(
                abs(one.value)
                if one.name in ("change", "change_percent", "deviation")
                else one.value,
                one.unit,
                analysis.language,
            )
            for one in finding.values
        },
    }


def _own(finding: Finding, analysis: Analysis) -> list[str]:
    measures = [named(part, analysis) for part in finding.measure.split(" ~ ") if part]
    return [*measures, *(member for _, member in finding.members if member)]


def _names(insights: Insights, analysis: Analysis) -> set[str]:
    """Return every name that a sentence could mix up: of measures and of members."""
    measures = {name for one in analysis.measures for name in (one.name, one.column)}
    members = {member for one in insights.all for _, member in one.members if member}
    return measures | members
