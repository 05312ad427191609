"""Data-to-text verification: each number, sign, unit, direction, date and name of a sentence.

A model's sentence is about one finding. What the finding does not say may not be said: a rule
that cannot tell refuses, and the plain sentence takes its place.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import NamedTuple

from tasks.grounding.wording import DENYING, FALLING, RISING
from tasks.text.figures import day
from thirdshift.findings import Finding, Quantity

_LONGEST = 320  # characters
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?")
# Unlike `wording.DIGITS` a number here has a value, a sign and a precision: it must round to the
# finding's own, where a claim's number must be written as in its passage.
_NUMBER = re.compile(
    r"(?P<sign>[-+−–±]?)(?<![\d.,])(?P<digits>\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)", re.I
)
_PERCENT = re.compile(r"\s?(%|percent(?!age point)|per cent|パーセント(?!ポイント))", re.I)
# Numbers in words are refused, not read as in `wording`: none of them tells its precision.
_WORD_NUMBERS = re.compile(
    r"\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w*teen|twenty|thirty"
    r"|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|dozens?"
    r"|half|halv\w+|thirds?|quarters?|fifths?|tenths?|doubl\w+|tripl\w+|twice|thrice|\w*fold"
    r"|once|first|second|several|couple|both|[kmb]n?)\b|[〇一二三四五六七八九十百千万億兆半倍割分]",
    re.IGNORECASE,
)
# A level says a direction here, since the finding is one: "unusually high". In a claim it may say
# anything ("high-grade", "peak hour"), so `wording` does without.
_UP = re.compile(rf"\b(?:{RISING[0]}|high|peak\w*|strong\w*)\b|{RISING[1]}", re.IGNORECASE)
_DOWN = re.compile(rf"\b(?:{FALLING[0]}|low|weak\w*)\b|{FALLING[1]}", re.IGNORECASE)
_UNSUPPORTED = re.compile(  # denials, causes, forecasts, superlatives, other dates, markup
    rf"\b(?:{DENYING[0]}|because|caus\w+|due|thanks|owing|driv\w+|drove|led|therefore|will|forecast\w*|predict\w*|should|must|record|best|worst"
    r"|highest|lowest|largest|smallest|most|least|ever|always|all|every(?!\s\d)|average|median"
    r"|yesterday|today|tomorrow|last|next|this|ago|(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
    r"|january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|but|while|whereas|although|except|opposite)\b"
    rf"|{DENYING[1]}|ため|ので|原因|理由|最高|最低|最大|最小|昨日|今日|明日|先週"
    r"|今週|来週|先月|今月|来月|昨年|今年|来年|平均|しかし|一方|[月火水木金土日]曜|https?:|[<>\[\]#*`|]",
    re.IGNORECASE,
)
_OFFSETS = {"change", "change_percent", "deviation", "amplitude", "slope", "slope_per_day"}
_PARTS = {"contribution_percent", "share", "percent"}
_BEFORE = (  # what stands before a number, and what the number then is
    (r"\bfrom\s+$", {"before", "expected"}),
    (r"\b(to|reach\w*|now)\s+$", {"after", "observed"}),
    (r"\b(by|of)\s+$", _OFFSETS),
    (r"\b(at|was|were|is|stood at)\s+$", {"observed", "after"}),
    (
        r"(instead of|expected|usual(ly)?|normally|against|than|where|予想は|通常は|見込みは)\s*$",
        {"expected", "before"},
    ),
    (r"\bevery\s+$", {"period"}),
    (r"(correlation( of| is|:)?|相関は|相関係数は)\s*$", {"rho"}),
    (r"(contribut\w+|share of|寄与は)\s*$", _PARTS),
    (r"\((?:§\s*)?$", {"change_percent"}),
)
_AFTER = (  # what stands behind a number and its unit
    (r"^\s*(was|were|is)?\s*(expected|usual)", {"expected", "before"}),
    (r"^\s*of the (total |whole )?(change|rise|fall|deviation)", _PARTS),
    (r"^\s*(lower|higher|more|less|below|above)\b", _OFFSETS),
    (r"^\s*(rows|values|件)", {"count"}),
    (r"^から", {"before", "expected"}),
    (r"^(に(?!対)|まで|となり|でした|です)", {"after", "observed", "rho", "amplitude"}),
    (r"^(増|減|上昇|下落|低下|上回|下回|伸び|高く|低く)", _OFFSETS),
    (r"^(の?寄与|を占め)", _PARTS),
    (r"^(が|と)?(予想|見込)", {"expected"}),
    (r"^(時点|ごと)", {"period"}),
)
_ASIDE = re.compile(r"^\s*\([^()]*\)")
_UNITLESS = re.compile(  # what may stand behind a number that has no unit
    r"\s?[,.;:()、。]|\s*$|[ぁ-ん件時]"
    r"|\s+(and|to|from|in|on|at|with|for|where|of|over|rows|values|steps|was|were)\b"
)


class WrittenNumber(NamedTuple):
    """A number in a text: its value, how exactly it is written, and where."""

    text: str
    value: float
    decimals: int
    signed: bool
    start: int
    end: int

    def says(self, value: float) -> bool:
        """Tell whether this is how `value` is written, at the precision of the writing."""
        slack = 0.5 * 10**-self.decimals * (1 + 1e-9)
        near = abs(abs(self.value) - abs(value)) <= slack
        fine = abs(abs(self.value) - abs(value)) <= 0.02 * abs(value)
        return near and fine and (not self.signed or (self.value < 0) == (value < 0))


def written_numbers(text: str) -> list[WrittenNumber]:
    """Return every number that is written in digits; dates are numbers like any other.

    "from -1,234.50" has one of -1234.5 with a sign and two decimals, that says -1234.504 too.
    """
    figures = []
    for match in _NUMBER.finditer(text):
        digits = match["digits"].rstrip(",")
        sign = match["sign"]
        mantissa, _, power = digits.lower().replace(",", "").partition("e")
        decimals = len(mantissa.partition(".")[2]) - int(power or 0)
        value = float(f"{mantissa}e{power or 0}") * (-1 if sign in tuple("-−–") else 1)
        end = match.start("digits") + len(digits)
        figure = WrittenNumber(match[0], value, decimals, bool(sign), match.start(), end)
        figures.append(figure)
    return figures


def find_faults(
    sentence: str, finding: Finding, own: Sequence[str], others: Collection[str] = ()
) -> list[str]:
    """Return what a sentence says that its finding does not; empty where it stands.

    `own` are the names it is about, of which it must say the first (a measure) or all those
    behind it (members); `others` are names it must not mention.
    """
    text = unicodedata.normalize("NFKC", sentence).strip()
    if not 0 < len(text) <= _LONGEST or "\n" in text:
        return ["it is no single sentence"]
    bare, missing = _without(text, own)
    faults = [f"it does not name {name}" for name in missing]
    strange = [name for name in others if name not in own and _mentions(bare, name)]
    faults += [f"it names {name}" for name in strange]
    faults += _dates(bare, finding)
    bare = _DATE.sub("§", bare)
    faults += [f"{match[0]!r} is not for it to say" for match in _UNSUPPORTED.finditer(bare)]
    faults += [f"{match[0]!r} is a number in words" for match in _WORD_NUMBERS.finditer(bare)]
    faults += _directions(bare, finding)
    for number in written_numbers(bare):
        if not _holds(number, bare, finding):
            faults.append(f"{number.text} is not what the finding says there")
    return faults


def _without(text: str, own: Sequence[str]) -> tuple[str, list[str]]:
    """Return the text without the names it is about, and those of them it does not say."""
    missing, bare = [], text
    for name in sorted(own, key=len, reverse=True):
        plain = unicodedata.normalize("NFKC", name)
        pattern = re.compile(_bounded(plain), re.IGNORECASE)
        if not pattern.search(text):
            missing.append(name)
        elif re.search(r"[^\W\d_]", plain):  # a name of digits alone stays, and counts as number
            bare = pattern.sub("§", bare)
    return bare, missing


def _mentions(text: str, name: str) -> bool:
    plain = unicodedata.normalize("NFKC", name)
    return bool(plain.strip()) and bool(re.search(_bounded(plain), text, re.IGNORECASE))


def _bounded(name: str) -> str:
    left = r"(?<![A-Za-z0-9])" if name[:1].isascii() else ""
    right = r"(?![A-Za-z0-9])" if name[-1:].isascii() else ""
    return left + re.escape(name) + right


def _dates(text: str, finding: Finding) -> list[str]:
    known = [day(finding.start), day(finding.end)]
    dates = _DATE.findall(text)
    wrong = [f"{date} is not its date" for date in dates if date not in known]
    if not wrong and len(dates) > 1 and dates != known:
        wrong.append("its dates are not in their order")
    return wrong


def _directions(text: str, finding: Finding) -> list[str]:
    up, down = _UP.findall(text), _DOWN.findall(text)
    if finding.kind in ("correlation", "seasonality", "quality"):
        return ["it speaks of a direction"] if up or down else []
    if finding.direction == "up":
        return ["it says down, and it went up"] if down else [] if up else ["it has no direction"]
    if finding.direction == "down":
        return ["it says up, and it went down"] if up else [] if down else ["it has no direction"]
    return ["it speaks of a direction"] if up or down else []


def _holds(number: WrittenNumber, text: str, finding: Finding) -> bool:
    """Tell whether a number is one of the finding's, in its unit and in its role."""
    return any(
        number.says(quantity.value)
        and _signed(number, quantity)
        and (end := _unit_end(number, quantity, text)) is not None
        and quantity.name in _roles(text[: number.start], text[end:])
        for quantity in finding.values
    )


def _signed(number: WrittenNumber, quantity: Quantity) -> bool:
    """Tell whether a number without sign may say a negative value: only what a word directs."""
    directed = quantity.name in _OFFSETS
    return quantity.value >= 0 or number.signed or directed


def _unit_end(number: WrittenNumber, quantity: Quantity, text: str) -> int | None:
    """Return where the number's unit ends; None where it has another unit than the quantity."""
    behind = text[number.end :]
    percent = _PERCENT.match(behind)
    if quantity.unit == "%":
        return number.end + percent.end() if percent else None
    unit = unicodedata.normalize("NFKC", quantity.unit)
    if percent:
        return None
    if unit:
        there = re.match(r"\s?" + re.escape(unit) + r"(?![A-Za-z/])", behind)
        if there:
            return number.end + there.end()
        before = text[: number.start].endswith(unit) and not unit.isalpha()
        return number.end if before else None
    return number.end if _UNITLESS.match(behind) else None


def _roles(before: str, behind: str) -> set[str]:
    """Return what a number may be, by the words around it; those behind it say more."""
    behind = _ASIDE.sub("", behind)
    for pattern, names in _AFTER:
        if re.search(pattern, behind, re.IGNORECASE):
            return set(names)
    for pattern, names in _BEFORE:
        if re.search(pattern, before.rstrip("¥$€£￥") if before else "", re.IGNORECASE):
            return set(names)
    return set()
