"""Surface realisation: a finding as a plain sentence, in English or Japanese, without a model.

A language is a table of phrases; `{…}` in one of them is another phrase, or a fact of the finding.
Of a shift that went up, `{moved}` is the phrase "moved up", `{change}` the value of that name:

    "The level of {measure} {moved} by {change}{percent} on {start}: from {before} to {after}."
    "The level of Sales rose by 12 JPY, by 40 % on 2026-03-02: from 30 JPY to 42 JPY."
"""

from tasks.text.figures import day, figure
from thirdshift.analysis import Analysis
from thirdshift.findings import Finding

_ENGLISH = {
    "mover": "{whose} {moved} by {change}{percent}, in {start} to {end} against the time before: "
    "from {before} to {after}{part of total}.",
    "still": "{whose} stayed the same {when}: at {after}.",
    "carrier": "{whose} {moved} by {change} {when}: from {before} to {after}{part of change}.",
    "anomaly": "{measure} was unusually {far} {when}: at {observed}, "
    "where {expected} was expected.",
    "shift": "The level of {measure} {moved} by {change}{percent} on {start}: "
    "from {before} to {after}.",
    "trend": "{measure} {moved} by {change}{percent} over the whole time, {when}.",
    "seasonality": "{measure} has a pattern that repeats every {period}; it swings by {amplitude}.",
    "correlation": "{measure} {together}: rank correlation {rho}{caveats}.",
    "quality": "{about}{count} {fault}{where}.",
    # Who, when and which way.
    "and": " and ",
    "whose": "{measure}",
    "whose member": "{dimension} {member}: {measure}",
    "on": "on {start}",
    "during": "from {start} to {end}",
    "moved up": "rose",
    "moved down": "fell",
    "moved none": "changed",
    "far up": "high",
    "far down": "low",
    "far none": "low",
    "together up": "move together",
    "together down": "move against each other",
    "together none": "move against each other",
    # Where there is something to say.
    "percent": ", by {change_percent}",
    "part of total": ", contributing {contribution_percent} of the total change",
    "part of change": ", contributing {contribution_percent} of the change",
    "about": "{measure}: ",
    "where": " {when}",
    "caveats": " ({known caveats})",
    "caveat few_points": "few points",
    "caveat autocorrelated": "slow changes on either side",
    "caveat common_trend": "a common trend may be all there is",
    "caveat outliers": "outliers weigh in",
    "comma": ", ",
    "fault": "{method}",
    "fault missing": "values are missing",
    "fault infinite": "values are infinite",
    "fault negative": "values are negative, where hardly any are",
    "fault constant": "values are all the same",
    "fault duplicate_rows": "rows stand there twice",
    "fault duplicate_times": "rows share their time with another",
    "fault gap": "steps are missing",
}
_JAPANESE = {
    "mover": "{whose}は{start}から{end}まで、その前の期間の{before}から{after}に、"
    "{change}{percent}{moved}ました{part of total}。",
    "still": "{whose}は{when}変わらず、{after}でした。",
    "carrier": "{whose}は{when}、{before}から{after}に、{change}{moved}ました{part of change}。",
    "anomaly": "{measure}は{when}異常に{far}、{observed}でした（予想は{expected}）。",
    "shift": "{measure}の水準は{start}に、{before}から{after}に、{change}{percent}{moved}ました。",
    "trend": "{measure}は{when}、全体で{change}{percent}{moved}ました。",
    "seasonality": "{measure}は{period}ごとに同じ動きを繰り返し、振れ幅は{amplitude}です。",
    "correlation": "{measure}は{together}動きます。順位相関は{rho}です{caveats}。",
    "quality": "{about}{where}{count}件の{fault}。",
    "and": "と",
    "whose": "{measure}",
    "whose member": "{dimension}「{member}」の{measure}",
    "on": "{start}に",
    "during": "{start}から{end}まで",
    "moved up": "増え",
    "moved down": "減り",
    "moved none": "変わり",
    "far up": "高く",
    "far down": "低く",
    "far none": "低く",
    "together up": "同じ向きに",
    "together down": "逆の向きに",
    "together none": "逆の向きに",
    "percent": "（{change_percent}）",
    "part of total": "（全体の変化への寄与は{contribution_percent}）",
    "part of change": "（変化への寄与は{contribution_percent}）",
    "about": "{measure}：",
    "where": "{when}、",
    "caveats": "（{known caveats}）",
    "caveat few_points": "データが少ない",
    "caveat autocorrelated": "ともに緩やかに変わる",
    "caveat common_trend": "共通の傾向だけかもしれない",
    "caveat outliers": "外れ値の影響がある",
    "comma": "、",
    "fault": "{method}",
    "fault missing": "値が欠けています",
    "fault infinite": "値が無限大です",
    "fault negative": "値が負です",
    "fault constant": "値がすべて同じです",
    "fault duplicate_rows": "行が重複しています",
    "fault duplicate_times": "行の時刻が重複しています",
    "fault gap": "時点が欠けています",
    "unit of period steps": "時点",  # the only unit that is ours and not the owner's
}
_PHRASES = {"en": _ENGLISH, "ja": _JAPANESE}
_SIZES = ("change", "change_percent", "amplitude", "count")  # without sign: a word says which way


def sentence(finding: Finding, analysis: Analysis) -> str:
    """Return the finding in words: its numbers, units, direction and dates, and nothing else."""
    still = finding.kind == "mover" and finding.direction == "none"
    return _Words(finding, analysis)["still" if still else finding.kind]


def column_title(column: str, analysis: Analysis) -> str:
    """Return what reports call a column."""
    titles = (measure.name for measure in analysis.measures if measure.column == column)
    return next(titles, column)


def member_title(finding: Finding) -> str:
    """Return what tables and charts call the member that a finding is about: "shop Kyoto"."""
    return ", ".join(f"{dimension} {member}" for dimension, member in finding.members)


def measure_title(finding: Finding, analysis: Analysis) -> str:
    """Return what reports call the measure of a finding, or the two that it relates."""
    columns = finding.measure.split(" ~ ")
    joint = _PHRASES[analysis.language]["and"]
    return joint.join(column_title(column, analysis) for column in columns)


class _Words:
    """The words of a finding by name: what a phrase asks for, in the language of the analysis."""

    def __init__(self, finding: Finding, analysis: Analysis) -> None:
        self._finding, self._language = finding, analysis.language
        self._phrases = _PHRASES[analysis.language]
        ((dimension, member),) = finding.members[:1] or (("", ""),)
        self._facts = {
            "measure": measure_title(finding, analysis),
            "dimension": dimension,
            "member": member,
            "start": day(finding.start),
            "end": day(finding.end),
            "method": finding.method,
            "known caveats": self._caveats(),
        }

    def __getitem__(self, name: str) -> str:
        if name in self._facts:
            return self._facts[name]
        if self._finding.has(name):
            return self._value(name)
        phrase = self._chosen(name)
        return self._phrases[phrase].format_map(self) if phrase else ""

    def _value(self, name: str) -> str:
        quantity = next(each for each in self._finding.values if each.name == name)
        value = abs(quantity.value) if name in _SIZES else quantity.value
        unit = self._phrases.get(f"unit of {name} {quantity.unit}", quantity.unit)
        return figure(value, unit, self._language)

    def _chosen(self, name: str) -> str:
        """Return which phrase says what is asked for; none where there is nothing to say."""
        finding = self._finding
        if name == "when":
            return "on" if self["start"] == self["end"] else "during"
        if name == "whose":
            return "whose member" if finding.members else name
        special = [f"{name} {finding.direction}", f"{name} {finding.method}"]
        known = [phrase for phrase in special if phrase in self._phrases]
        return known[0] if known else name if self._has_matter(name) else ""

    def _has_matter(self, name: str) -> bool:
        """Tell whether there is something to say of what not every finding has."""
        finding = self._finding
        matters = {
            "percent": finding.has("change_percent"),
            "part of total": finding.has("contribution_percent") and bool(self["member"]),
            "part of change": finding.has("contribution_percent"),
            "about": bool(finding.measure),
            "where": finding.start is not None,
            "caveats": bool(self["known caveats"]),
        }
        return matters.get(name, True)

    def _caveats(self) -> str:
        known = [f"caveat {caveat}" for caveat in self._finding.caveats]
        return self._phrases["comma"].join(
            self._phrases[phrase] for phrase in known if phrase in self._phrases
        )
