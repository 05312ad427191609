"""Claim features: the numbers, stems, negation and direction of a sentence, in two languages.

What must not change when something is said again. The grammar of direction, negation and digits
stands here once; `findings` and the answers from memory take it from here.
"""

import re
from typing import NamedTuple

from tasks.text.language import folded, is_japanese, terms


class Number(NamedTuple):
    """A number as it can be compared: "18 percent less" is ("18", "percent", "down")."""

    value: str
    counted: str  # the unit or word behind it; empty where there is none
    direction: str  # "up", "down" or ""


# Words of a movement and of a denial: English ones stand between word boundaries, Japanese ones
# anywhere. Each of the two checks adds its own to them, and says why.
RISING = (
    r"ris(?:e[sn]?|ing)|rose|increas\w*|grow(?:s|n|ing|th)?|grew|climb\w*|gain\w*|up(?!\s+to)|higher"
    r"|above|more|surg\w*|jump\w*|soar\w*|improv\w*|exceed\w*|spik\w*",
    r"増|上昇|上が|上回|伸|高|プラス(?!チ)|急騰|改善|多|超",
)
FALLING = (
    r"f[ae]ll(?:s|en|ing)?|decreas\w*|declin\w*|drop\w*|shr[aiu]nk\w*|los[est]\w*|down|lower\w*|below"
    r"|less|fewer|slump\w*|plung\w*|reduc\w*|worse\w*|dip(?:s|ped|ping)?|sank|sink\w*|slid\w*|cuts?",
    r"減|下落|下が|下回|低|落ち|マイナス|急落|悪化|割り込|少な|縮",
)
DENYING = (
    r"not?|never|none|nobody|nothing|neither|nor|without|cannot|hardly|barely|fail(?:s|ed)?|refus\w+"
    r"|den(?:y|ies|ied)|stop(?:s|ped)?|lacks?|\w+n't",
    r"(?<!少)な(?:い|かっ|く)|ません|ぬ(?![ぁ-ん])|ずに|せず|できず",  # 少ない is few, not none
)
DIGITS = r"\d+(?:[.,]\d+)*"

_WORDS = "two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
_SPELLED = {word: str(value) for value, word in enumerate(_WORDS, 2)}
_SPELLED |= {"half": "0.5", "twice": "2x", "double": "2x", "doubled": "2x", "dozen": "12"}
_SPELLED |= {"hundred": "100", "thousand": "1000", "million": "1000000"}
_KANJI = {char: value for value, char in enumerate("〇一二三四五六七八九")}
_POWERS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "億": 10**8}
_NUMERAL = re.compile(r"[〇一二三四五六七八九十百千万億]+")
_FIGURE = re.compile(rf"[-−+]?{DIGITS}(?:[:/-]{DIGITS})*")  # dates, times and scores are one
_LATIN = re.compile(r"[a-z][a-z'-]*|[%°$€£¥]")
_SUFFIXES = tuple(
    "ingly edly ation ments ment ings ing ied ies ers est ed er es ly al s y e".split()  # noqa: SIM905
)
_SHORTEST = 3

_NOT = re.compile(rf"\b(?:{DENYING[0]})\b")
# 不 無 未 非 deny the word they begin: two texts must do so equally often. A finding's own
# sentence may have them (無限大: infinite), so `findings` does not count them.
_NOT_JA = re.compile(rf"{DENYING[1]}|不|無|未|非")

_HEDGE = re.compile(
    r"\b(?:if|unless|may|might|could|would|should|expect\w*|plan\w*|likely|perhaps|possibl\w+"
    r"|hope\w*|forecast\w*|propos\w+|rumou?r\w*|alleg\w+|claim\w*|about to|intend\w*)\b"
)
_HEDGE_JA = re.compile(
    r"予定|見込|見通し|かもしれ|可能性|だろう|でしょう|らしい|ようだ|ようです|もし|れば|たら|なら|ると、|場合|予想|計画"
)
_NEAR, _NEAR_JA = 3, 8  # words, characters around a number that say where it goes

# Two texts are compared here, so what one of them makes larger, better or a bound must be so in
# the other. In a finding's sentence these say no direction: "a larger fall", 大きく減りました.
_MORE = (r"up\s+to|larger|bigger|better|greater|longer|faster|best|most", r"以上|長|大き|良")
_LESS = (r"smaller|shorter|slower|worst|least", r"以下|未満|短|小さ|悪|少|落")
_DIRECTIONS = [
    (
        re.compile(rf"\b(?:{RISING[0]}|{_MORE[0]})\b"),
        re.compile(rf"\b(?:{FALLING[0]}|{_LESS[0]})\b"),
    ),
    (re.compile(f"{RISING[1]}|{_MORE[1]}"), re.compile(f"{FALLING[1]}|{_LESS[1]}")),
]

# Words a writer may add without adding a fact. Stems, as `stems` makes them.
_MAY_ADD = """say says said report reports reported according add adds added note notes noted also
while now than there according however meanwhile still yet both only just such other another these
those some new story article source author writes wrote written describe describes tell tells
explain explains mention mentions include includes including about over under between during per
each because since so but very as well such then when where which who his her
he she they them him we us our i""".split()  # noqa: SIM905


def numbers(text: str) -> list[Number]:
    """Return the numbers of a text, each with what it counts, as they can be compared.

    Spelled ones count too, as they say the same: "a dozen growers" has 12 of the stem "grow".
    """
    plain = folded(text)
    return _japanese_numbers(plain) if is_japanese(text) else _latin_numbers(plain)


def stems(text: str) -> list[str]:
    """Return the content words as stems that survive a change of form, in order."""
    plain = folded(text)
    if is_japanese(text):
        return [word for word in terms(plain) if not word.isdigit()]
    return [stem(word) for word in re.findall(r"[^\W\d_]+", plain) if word not in _FUNCTION]


def stem(word: str) -> str:
    """Return an English word without its ending; crude, but the same for both sides."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST:
            word = word.removesuffix(suffix)
            break
    return word[:-1] if len(word) > _SHORTEST and word[-1] == word[-2] else word


def negations(text: str) -> int:
    """Return how often a text negates."""
    return len((_NOT_JA if is_japanese(text) else _NOT).findall(folded(text)))


def hedges(text: str) -> bool:
    """Tell whether a text says that something is only expected, possible or conditional."""
    return bool((_HEDGE_JA if is_japanese(text) else _HEDGE).search(folded(text)))


def opposed(text: str, window: str) -> bool:
    """Tell whether a text goes up or down where the window does not go that way."""
    claim, passage = folded(text), folded(window)
    ways = _DIRECTIONS[is_japanese(text)]
    return any(bool(way.search(claim)) and not way.search(passage) for way in ways)


def _latin_numbers(plain: str) -> list[Number]:
    tokens = re.findall(rf"{_FIGURE.pattern}|{_LATIN.pattern}", plain)
    figures = []
    for place, token in enumerate(tokens):
        value = _SPELLED.get(token) or (_value(token) if _FIGURE.fullmatch(token) else "")
        if value:
            near = " ".join(tokens[max(place - _NEAR, 0) : place + _NEAR + 1])
            unit = _unit(tokens[place + 1 : place + 2])
            figures.append(Number(value, unit, _direction(near, _DIRECTIONS[0])))
    return figures


def _unit(after: list[str]) -> str:
    word = after[0] if after else ""
    return "" if word in _LOOSE or _FIGURE.fullmatch(word) else stem(word)


def _japanese_numbers(plain: str) -> list[Number]:
    spelled = _NUMERAL.sub(lambda numeral: f" {_of_kanji(numeral[0])}", plain)
    figures = []
    for figure in _FIGURE.finditer(spelled):
        after = spelled[figure.end() : figure.end() + 1].strip("、。・,. ")
        near = spelled[max(figure.start() - _NEAR_JA, 0) : figure.end() + _NEAR_JA]
        figures.append(Number(_value(figure[0]), after, _direction(near, _DIRECTIONS[1])))
    return figures


def _direction(near: str, ways: tuple[re.Pattern[str], re.Pattern[str]]) -> str:
    """Return where the words near a number go; empty where they go nowhere, or both ways."""
    directions = [name for name, way in zip(("up", "down"), ways, strict=True) if way.search(near)]
    return directions[0] if len(directions) == 1 else ""


def _value(figure: str) -> str:
    plain = figure.replace(",", "").replace("−", "-").lstrip("+")
    head, dot, tail = plain.partition(".")
    return f"{head}.{tail.rstrip('0')}".rstrip(".") if dot else head


def _of_kanji(numeral: str) -> int:
    """Return the value of 二千三百 or 二〇二六."""
    if not set(numeral) & (_POWERS.keys() | _MYRIADS.keys()):
        return int("".join(str(_KANJI[char]) for char in numeral))
    total = section = digit = 0
    for char in numeral:
        if char in _KANJI:
            digit = _KANJI[char]
        elif char in _POWERS:
            section, digit = section + (digit or 1) * _POWERS[char], 0
        else:
            total, section, digit = total + (section + digit or 1) * _MYRIADS[char], 0, 0
    return total + section + digit


_FUNCTION = frozenset(
    """a about an and any are at be been being by can could did do does for from had has have how
    if in into is it its long many may might much of on onto or should that the their this to up was
    were what why will with would you your""".split()  # noqa: SIM905
)
_LOOSE = frozenset("and or of to in on at the a for from by with is was are were".split())  # noqa: SIM905
HARMLESS = frozenset(map(stem, _MAY_ADD))
