"""What in a sentence must not change when it is said again: numbers, stems, negation, direction."""

import re
import unicodedata

from tasks.text.language import is_japanese, terms

Number = tuple[str, str, str]  # the number, the unit or word it counts, "up", "down" or ""

_WORDS = "two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
_SPELLED = {word: str(value) for value, word in enumerate(_WORDS, 2)}
_SPELLED |= {"half": "0.5", "twice": "2x", "double": "2x", "doubled": "2x", "dozen": "12"}
_SPELLED |= {"hundred": "100", "thousand": "1000", "million": "1000000"}
_KANJI = {char: value for value, char in enumerate("〇一二三四五六七八九")}
_POWERS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "億": 10**8}
_NUMERAL = re.compile(r"[〇一二三四五六七八九十百千万億]+")
_FIGURE = re.compile(r"[-−+]?\d+(?:[.,:/-]\d+)*")
_LATIN = re.compile(r"[a-z][a-z'-]*|[%°$€£¥]")
_SUFFIXES = tuple(
    "ingly edly ation ments ment ings ing ied ies ers est ed er es ly al s y e".split()  # noqa: SIM905
)
_SHORTEST = 3

_NOT = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|fail(?:s|ed)?|refus\w+"
    r"|den(?:y|ies|ied)|stop(?:s|ped)?|lacks?)\b|n't\b"
)
_NOT_JA = re.compile(r"ない|なか|なく|ません|ぬ(?![ぁ-ん])|ずに|せず|できず|不|無|未|非")

_HEDGE = re.compile(
    r"\b(?:if|unless|may|might|could|would|should|expect\w*|plan\w*|likely|perhaps|possibl\w+"
    r"|hope\w*|forecast\w*|propos\w+|rumou?r\w*|alleg\w+|claim\w*|about to|intend\w*)\b"
)
_HEDGE_JA = re.compile(
    r"予定|見込|見通し|かもしれ|可能性|だろう|でしょう|らしい|ようだ|ようです|もし|れば|たら|なら|ると、|場合|予想|計画"
)
_NEAR, _NEAR_JA = 3, 8  # words, characters around a number that say where it goes

_UP = r"more|higher|above|rise|rises|rose|risen|rising|up|increas\w*|grow\w*|grew|gain\w*|larger"
_UP += r"|bigger|better|greater|improv\w*|climb\w*|surg\w*|longer|faster|best|most"
_DOWN = r"less|fewer|lower|below|fall|falls|fell|fallen|falling|down|decreas\w*|shrink\w*|shrank"
_DOWN += r"|declin\w*|drop\w*|smaller|worse|reduc\w*|los[est]\w*|shorter|slower"
_DOWN += r"|worst|least|cut|cuts"
_DIRECTIONS = [
    (re.compile(rf"\b(?:{_UP})\b"), re.compile(rf"\b(?:{_DOWN})\b")),
    (
        re.compile(r"増|上が|上回|高|多|伸|超|以上|長|大き|良"),
        re.compile(r"減|下が|下回|低|少|縮|落|以下|短|小さ|悪|未満"),
    ),
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

    Spelled ones count too; of a number without a unit the second part is empty.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _japanese_numbers(plain) if is_japanese(text) else _latin_numbers(plain)


def stems(text: str) -> list[str]:
    """Return the content words as stems that survive a change of form, in order."""
    plain = unicodedata.normalize("NFKC", text).casefold()
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
    plain = unicodedata.normalize("NFKC", text).casefold()
    return len((_NOT_JA if is_japanese(text) else _NOT).findall(plain))


def hedges(text: str) -> bool:
    """Tell whether a text says that something is only expected, possible or conditional."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return bool((_HEDGE_JA if is_japanese(text) else _HEDGE).search(plain))


def opposed(text: str, window: str) -> bool:
    """Tell whether a text goes up or down where the window does not go that way."""
    one, other = (unicodedata.normalize("NFKC", some).casefold() for some in (text, window))
    ways = _DIRECTIONS[is_japanese(text)]
    return any(bool(way.search(one)) and not way.search(other) for way in ways)


def _latin_numbers(plain: str) -> list[Number]:
    tokens = re.findall(rf"{_FIGURE.pattern}|{_LATIN.pattern}", plain)
    found = []
    for at, token in enumerate(tokens):
        value = _SPELLED.get(token) or (_value(token) if _FIGURE.fullmatch(token) else "")
        if value:
            near = " ".join(tokens[max(at - _NEAR, 0) : at + _NEAR + 1])
            found.append((value, _unit(tokens[at + 1 : at + 2]), _direction(near, _DIRECTIONS[0])))
    return found


def _unit(after: list[str]) -> str:
    word = after[0] if after else ""
    return "" if word in _LOOSE or _FIGURE.fullmatch(word) else stem(word)


def _japanese_numbers(plain: str) -> list[Number]:
    spelled = _NUMERAL.sub(lambda found: f" {_of_kanji(found[0])}", plain)
    found = []
    for figure in _FIGURE.finditer(spelled):
        after = spelled[figure.end() : figure.end() + 1].strip("、。・,. ")
        near = spelled[max(figure.start() - _NEAR_JA, 0) : figure.end() + _NEAR_JA]
        found.append((_value(figure[0]), after, _direction(near, _DIRECTIONS[1])))
    return found


def _direction(near: str, ways: tuple[re.Pattern[str], re.Pattern[str]]) -> str:
    found = [name for name, way in zip(("up", "down"), ways, strict=True) if way.search(near)]
    return found[0] if len(found) == 1 else ""


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
