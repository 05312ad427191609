"""Data storytelling: the specialist words computed findings, arithmetic checks each sentence."""

import json
import re
from collections.abc import Sequence

from pydantic import BaseModel, Field

from tasks.analysis.insights import Insights
from tasks.analysis.phrasing import column_title, measure_title, sentence
from tasks.grounding.findings import find_faults
from tasks.models.protocol import ModelRuntime
from tasks.models.runtime import runtime, structured
from tasks.text.figures import day, figure
from thirdshift.analysis import (
    Analysis,
    Answered,
    Narrative,
    Statement,
)
from thirdshift.errors import ThirdShiftError
from thirdshift.findings import Finding, Quantity
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
_SOUGHT = (  # what a question asks for, and the kinds of findings that answer it
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


class Wording(BaseModel):
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
    headlines = takeaways(insights)
    answering = [findings_on(question, insights, analysis) for question in analysis.questions]
    wanted = _distinct([*headlines, *(finding for listed in answering for finding in listed)])
    worded, why_plain = _worded(wanted, insights, analysis, models)

    def stated(findings: Sequence[Finding]) -> list[Statement]:
        return [_statement(finding, worded.get(id(finding)), analysis) for finding in findings]

    answers = [
        Answered(question=question, statements=stated(findings))
        for question, findings in zip(analysis.questions, answering, strict=True)
    ]
    return Narrative(takeaways=stated(headlines), answers=answers, why_plain=why_plain)


def _statement(finding: Finding, worded: str | None, analysis: Analysis) -> Statement:
    if worded:
        return Statement(text=worded, by="model")
    return Statement(text=sentence(finding, analysis), by="plain")


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    """Return each finding once, in their order."""
    return list({id(finding): finding for finding in findings}.values())


def takeaways(insights: Insights) -> list[Finding]:
    """Return the three findings that matter most: news first, each about something else."""
    since = min((day(change.total.start) for change in insights.changes), default="")
    events = [each for each in insights.findings if each.kind in ("anomaly", "shift")]
    fresh = [event for event in events if day(event.end) >= since]
    moved = [change.total for change in insights.changes]
    movers = [change.movers[0] for change in insights.changes[:1] if change.movers]
    lasting = [each for each in insights.findings if each.kind in ("trend", "seasonality")]
    ranked = [*fresh[:1], *moved[:1], *movers, *events[:1], *lasting, *events, *moved]
    return _distinct([*ranked, *insights.findings])[:_TAKEAWAYS]


def findings_on(question: str, insights: Insights, analysis: Analysis) -> list[Finding]:
    """Return the findings that say most about a question."""
    asked = question.lower()
    named = [each.column for each in analysis.measures if _is_named(asked, each.name, each.column)]
    about = set(named or [analysis.measures[0].column])
    for pattern, kinds in _SOUGHT:
        if re.search(pattern, question, re.IGNORECASE):
            fitting = [each for each in insights.findings if each.kind in kinds]
            return [each for each in fitting if set(each.measure.split(" ~ ")) & about][:3]
    changes = [change for change in insights.changes if change.total.measure in about]
    if not changes:
        return []
    return [changes[0].total, *_pushing(changes[0].movers, changes[0].total)]


def _pushing(movers: Sequence[Finding], total: Finding) -> list[Finding]:
    """Return those that moved the total its way, the strongest first."""
    return [mover for mover in movers if mover.direction == total.direction][:2]


def _is_named(asked: str, *names: str) -> bool:
    return any(name.lower() in asked for name in names)


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
            waiting = [finding for finding in findings if id(finding) not in worded]
            if waiting:
                worded |= _tried(waiting, insights, analysis, temperature)
    except ThirdShiftError as error:
        return {}, f"No model worded this: {error.what} All sentences are plain."
    return worded, "" if worded else "No sentence of the model stood the check: all are plain."


def _tried(
    findings: Sequence[Finding], insights: Insights, analysis: Analysis, temperature: float
) -> dict[int, str]:
    facts = [_facts(number, finding, analysis) for number, finding in enumerate(findings, 1)]
    prompt = PROMPT.format(
        language={"en": "English", "ja": "Japanese"}[analysis.language],
        facts=json.dumps(facts, ensure_ascii=False, indent=1),
    )
    wording = structured("specialist", Wording, prompt, temperature=temperature)
    names = _names(insights, analysis)
    worded = {}
    for draft in wording.sentences:
        if not 0 < draft.finding <= len(findings):
            continue
        finding = findings[draft.finding - 1]
        if not find_faults(draft.sentence, finding, _own(finding, analysis), names):
            worded[id(finding)] = draft.sentence.strip()
    return worded


def _facts(number: int, finding: Finding, analysis: Analysis) -> dict[str, object]:
    return {
        "finding": number,
        "kind": finding.kind,
        "measure": measure_title(finding, analysis),
        "members": dict(finding.members),
        "direction": finding.direction,
        "start": day(finding.start),
        "end": day(finding.end),
        "numbers": {each.name: _number(each, analysis) for each in finding.values},
    }


def _number(quantity: Quantity, analysis: Analysis) -> str:
    """Return a number as it is to be written: without sign where a word says the direction."""
    directed = quantity.name in ("change", "change_percent", "deviation")
    value = abs(quantity.value) if directed else quantity.value
    return figure(value, quantity.unit, analysis.language)


def _own(finding: Finding, analysis: Analysis) -> list[str]:
    columns = filter(None, finding.measure.split(" ~ "))
    members = [member for _, member in finding.members if member]
    return [*(column_title(column, analysis) for column in columns), *members]


def _names(insights: Insights, analysis: Analysis) -> set[str]:
    """Return every name that a sentence could mix up: of measures and of members."""
    measures = {name for each in analysis.measures for name in (each.name, each.column)}
    members = {member for each in insights.all for _, member in each.members if member}
    return measures | members
