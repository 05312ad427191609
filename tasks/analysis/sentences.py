"""A finding as a plain sentence, in English or Japanese: what the report says without a model."""

from collections.abc import Callable

from tasks.text.figures import day, figure
from thirdshift.analysis import Analysis
from thirdshift.findings import Finding

_ROSE = {"en": {"up": "rose", "down": "fell"}, "ja": {"up": "増え", "down": "減り"}}
_QUALITY = {
    "missing": ("values are missing", "値が欠けています"),
    "infinite": ("values are infinite", "値が無限大です"),
    "negative": ("values are negative, where hardly any are", "値が負です"),
    "constant": ("values are all the same", "値がすべて同じです"),
    "duplicate_rows": ("rows stand there twice", "行が重複しています"),
    "duplicate_times": ("rows share their time with another", "行の時刻が重複しています"),
    "gap": ("steps are missing", "時点が欠けています"),
}
_CAVEATS = {
    "few_points": ("few points", "データが少ない"),
    "autocorrelated": ("slow changes on either side", "ともに緩やかに変わる"),
    "common_trend": ("a common trend may be all there is", "共通の傾向だけかもしれない"),
    "outliers": ("outliers weigh in", "外れ値の影響がある"),
}


def sentence(finding: Finding, analysis: Analysis) -> str:
    """Return the finding in words: its numbers, units, direction and dates, and nothing else."""
    words = _Words(finding, analysis)
    return _FORMS[analysis.language][finding.kind](words)


def named(column: str, analysis: Analysis) -> str:
    """Return what reports call a column."""
    return next((one.name for one in analysis.measures if one.column == column), column)


class _Words:
    """What the sentences are made of."""

    def __init__(self, finding: Finding, analysis: Analysis) -> None:
        self.finding, self.language = finding, analysis.language
        parts = [named(part, analysis) for part in finding.measure.split(" ~ ")]
        self.measures = parts
        joint = " and " if self.language == "en" else "と"
        self.measure = joint.join(parts)
        self.start, self.end = day(finding.start), day(finding.end)
        self.when = self._when()
        ((self.dimension, self.member),) = finding.members[:1] or (("", ""),)

    def _when(self) -> str:
        if self.start == self.end:
            return f"on {self.start}" if self.language == "en" else f"{self.start}に"
        if self.language == "en":
            return f"from {self.start} to {self.end}"
        return f"{self.start}から{self.end}まで"

    def size(self, name: str) -> str:
        """Return a value without its sign: the direction is said in words."""
        value = next(one for one in self.finding.values if one.name == name)
        return figure(abs(value.value), value.unit, self.language)

    def signed(self, name: str) -> str:
        value = next(one for one in self.finding.values if one.name == name)
        return figure(value.value, value.unit, self.language)

    @property
    def rose(self) -> str:
        return _ROSE[self.language].get(self.finding.direction, "")

    @property
    def up(self) -> bool:
        return self.finding.direction == "up"

    def percent(self) -> str:
        if not self.finding.has("change_percent"):
            return ""
        shown = self.size("change_percent")
        return f", by {shown}" if self.language == "en" else f"（{shown}）"


def _mover(w: _Words) -> str:
    whose = f"{w.dimension} {w.member}: {w.measure}" if w.member or w.dimension else w.measure
    if not w.rose:
        return f"{whose} stayed the same {w.when}: at {w.signed('after')}."
    line = f"{whose} {w.rose} by {w.size('change')}{w.percent()}, in {w.start} to {w.end} "
    line += f"against the time before: from {w.signed('before')} to {w.signed('after')}"
    if w.member and w.finding.has("contribution_percent"):
        line += f", contributing {w.signed('contribution_percent')} of the total change"
    return line + "."


def _carrier(w: _Words) -> str:
    line = f"{w.dimension} {w.member}: {w.measure} {w.rose or 'changed'} by {w.size('change')} "
    line += f"{w.when}: from {w.signed('before')} to {w.signed('after')}"
    if w.finding.has("contribution_percent"):
        line += f", contributing {w.signed('contribution_percent')} of the change"
    return line + "."


def _anomaly(w: _Words) -> str:
    how = "high" if w.up else "low"
    line = f"{w.measure} was unusually {how} {w.when}: at {w.signed('observed')}, "
    return line + f"where {w.signed('expected')} was expected."


def _shift(w: _Words) -> str:
    line = f"The level of {w.measure} {w.rose} by {w.size('change')}{w.percent()} on {w.start}"
    return f"{line}: from {w.signed('before')} to {w.signed('after')}."


def _trend(w: _Words) -> str:
    line = f"{w.measure} {w.rose} by {w.size('change')}{w.percent()} over the whole time, {w.when}"
    return line + "."


def _seasonality(w: _Words) -> str:
    line = f"{w.measure} has a pattern that repeats every {w.signed('period')}"
    return f"{line}; it swings by {w.size('amplitude')}."


def _correlation(w: _Words) -> str:
    how = "move together" if w.up else "move against each other"
    line = f"{w.measure} {how}: rank correlation {w.signed('rho')}"
    known = [_CAVEATS[caveat][0] for caveat in w.finding.caveats if caveat in _CAVEATS]
    return f"{line} ({', '.join(known)})." if known else f"{line}."


def _quality(w: _Words) -> str:
    of = f"{w.measure}: " if w.measure else ""
    when = f" {w.when}" if w.finding.start is not None else ""
    said = _QUALITY.get(w.finding.method, (w.finding.method, ""))[0]
    return f"{of}{w.size('count')} {said}{when}."


def _mover_ja(w: _Words) -> str:
    whose = f"{w.dimension}「{w.member}」の{w.measure}" if w.member else w.measure
    if not w.rose:
        return f"{whose}は{w.when}変わらず、{w.signed('after')}でした。"
    line = f"{whose}は{w.start}から{w.end}まで、その前の期間の{w.signed('before')}から"
    line += f"{w.signed('after')}に、"
    line += f"{w.size('change')}{w.percent()}{w.rose}ました"
    if w.member and w.finding.has("contribution_percent"):
        line += f"（全体の変化への寄与は{w.signed('contribution_percent')}）"
    return line + "。"


def _carrier_ja(w: _Words) -> str:
    line = f"{w.dimension}「{w.member}」の{w.measure}は{w.when}、"
    line += f"{w.signed('before')}から{w.signed('after')}に、"
    line += f"{w.size('change')}{w.rose or '変わり'}ました"
    if w.finding.has("contribution_percent"):
        line += f"（変化への寄与は{w.signed('contribution_percent')}）"
    return line + "。"


def _anomaly_ja(w: _Words) -> str:
    how = "高く" if w.up else "低く"
    line = f"{w.measure}は{w.when}異常に{how}、{w.signed('observed')}でした"
    return f"{line}（予想は{w.signed('expected')}）。"


def _shift_ja(w: _Words) -> str:
    line = f"{w.measure}の水準は{w.start}に、{w.signed('before')}から{w.signed('after')}に、"
    return f"{line}{w.size('change')}{w.percent()}{w.rose}ました。"


def _trend_ja(w: _Words) -> str:
    return f"{w.measure}は{w.when}、全体で{w.size('change')}{w.percent()}{w.rose}ました。"


def _seasonality_ja(w: _Words) -> str:
    line = f"{w.measure}は{w.signed('period').replace('steps', '時点')}ごとに同じ動きを繰り返し、"
    return f"{line}振れ幅は{w.size('amplitude')}です。"


def _correlation_ja(w: _Words) -> str:
    how = "同じ向きに" if w.up else "逆の向きに"
    known = [_CAVEATS[caveat][1] for caveat in w.finding.caveats if caveat in _CAVEATS]
    aside = f"（{'、'.join(known)}）" if known else ""
    return f"{w.measure}は{how}動きます。順位相関は{w.signed('rho')}です{aside}。"


def _quality_ja(w: _Words) -> str:
    of = f"{w.measure}：" if w.measure else ""
    when = f"{w.when}、" if w.finding.start is not None else ""
    said = _QUALITY.get(w.finding.method, ("", w.finding.method))[1]
    return f"{of}{when}{w.size('count')}件の{said}。"


_FORMS: dict[str, dict[str, Callable[[_Words], str]]] = {
    "en": {
        "mover": _mover,
        "carrier": _carrier,
        "anomaly": _anomaly,
        "shift": _shift,
        "trend": _trend,
        "seasonality": _seasonality,
        "correlation": _correlation,
        "quality": _quality,
    },
    "ja": {
        "mover": _mover_ja,
        "carrier": _carrier_ja,
        "anomaly": _anomaly_ja,
        "shift": _shift_ja,
        "trend": _trend_ja,
        "seasonality": _seasonality_ja,
        "correlation": _correlation_ja,
        "quality": _quality_ja,
    },
}
