"""Anonymisation: secrets and personal identifiers, detected and replaced by their kind.

The weights of a model cannot forget, so this runs before anything becomes an example. Numbers
that carry a check digit are checked; names and postal addresses are not looked for.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), ord("-"))
_LONG_MARK = re.compile(r"(?<=\d)ー(?=\d)")  # people type it for a dash: 090ー1234ー5678

_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,}", re.ASCII | re.IGNORECASE
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?")
_CARD = re.compile(r"(?<![\d.-])[3-6](?:[ -]?\d){13,18}(?![\d-])")  # 13 digits: a JAN code
_TWELVE = re.compile(r"(?<![\d.-])\d{4}([ -]?)\d{4}\1\d{4}(?![\d-])")
_IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*)(?![\w.]*\w)",
    re.ASCII | re.IGNORECASE,
)
_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_NAMED = re.compile(  # "the password is …", "API_KEY=…", "パスワードは…です"
    r"(?:pass(?:word|phrase|code)|pwd|secret|token|api[ _-]?key|access[ _-]?key"
    r"|パスワード|暗証番号|合言葉|トークン|(?:API|アクセス)キー)"
    r"[\"']?(?: is |\s?[:=]+\s?| ?は ?|が)[\"'「『]?(?P<value>(?=[^\s\"'」』]*\d)[!-~]{4,})",
    re.IGNORECASE,
)
# Keys without a known form: 20 or more characters of all three kinds, or 32 hexadecimal digits.
_TOKEN = re.compile(r"(?<![\w+=])(?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])[\w+=]{20,}", re.ASCII)
_HEX = re.compile(r"(?<![A-Za-z0-9])(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{32,}(?![A-Za-z0-9])")
_TOKEN_BITS, _HEX_BITS = 3.8, 3.0  # Shannon entropy per character of a random string
_ABROAD = ("US", "GB")  # numbers written as at home there; others with their +country code


class Detection(NamedTuple):
    """A stretch of a text that must go, and what it is."""

    start: int
    end: int
    kind: str


def scrub(text: str) -> str:
    """Return the text with each secret and identifier replaced by its kind.

    "Call 090-1234-5678" -> "Call [phone]"
    """
    for detection in reversed(detect(text)):
        text = f"{text[: detection.start]}[{detection.kind}]{text[detection.end :]}"
    return text


def detect(text: str) -> list[Detection]:
    """Return what `scrub` replaces, in order and without overlaps.

    Kinds: secret, email, iban, card, my number, phone, ip.
    """
    plain = _LONG_MARK.sub("-", text.translate(_WIDE | _DASHES))  # as long as the text
    detections: list[Detection] = []
    for detector in (_secrets, _emails, _ibans, _cards, _my_numbers, _phones, _addresses):
        for new in detector(plain):
            if all(new.end <= old.start or old.end <= new.start for old in detections):
                detections.append(new)
    return sorted(detections)


def _secrets(text: str) -> Iterator[Detection]:
    yield from (Detection(*match.span(), "secret") for match in _KEY_BLOCK.finditer(text))
    for pattern in _known_tokens():
        yield from (Detection(*match.span(), "secret") for match in pattern.finditer(text))
    yield from (Detection(*match.span("value"), "secret") for match in _NAMED.finditer(text))
    for pattern, bits in ((_TOKEN, _TOKEN_BITS), (_HEX, _HEX_BITS)):
        for match in pattern.finditer(text):
            if _entropy()(match.group()) >= bits:
                yield Detection(*match.span(), "secret")


@cache
def _known_tokens() -> list[re.Pattern[str]]:
    """Return detect-secrets' patterns of tokens that have a form: AWS, GitHub, Slack, JWT."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector
    from detect_secrets.plugins.ip_public import IPPublicDetector

    plugins: list[type[Any]] = list(get_mapping_from_secret_type_to_class().values())
    return [
        pattern
        for plugin in plugins
        if issubclass(plugin, RegexBasedDetector) and plugin is not IPPublicDetector
        for pattern in plugin().denylist
    ]


@cache
def _entropy() -> Callable[[str], float]:
    from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString

    return Base64HighEntropyString().calculate_shannon_entropy


def _emails(text: str) -> Iterator[Detection]:
    yield from (Detection(*match.span(), "email") for match in _EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[Detection]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        # What follows in capitals may look like more of the number.
        for end in range(match.end(), match.start() + 14, -1):
            if iban.is_valid(text[match.start() : end]):
                yield Detection(match.start(), end, "iban")
                break


def _cards(text: str) -> Iterator[Detection]:
    from stdnum import luhn

    for match in _CARD.finditer(text):
        if luhn.is_valid(re.sub(r"\D", "", match.group())):
            yield Detection(*match.span(), "card")


def _my_numbers(text: str) -> Iterator[Detection]:
    from stdnum.jp import in_

    for match in _TWELVE.finditer(text):
        if in_.is_valid(match.group()):
            yield Detection(*match.span(), "my number")


def _phones(text: str) -> Iterator[Detection]:
    from phonenumbers import Leniency, PhoneNumberMatcher

    for region in ("JP", *_ABROAD):
        # Elsewhere's numbers must be grouped as they are there, or order numbers would match.
        leniency = Leniency.VALID if region == "JP" else Leniency.EXACT_GROUPING
        for match in PhoneNumberMatcher(text, region, leniency=leniency):
            yield Detection(match.start, match.end, "phone")


def _addresses(text: str) -> Iterator[Detection]:
    for match in _IP.finditer(text):
        try:
            address = ipaddress.ip_address(match.group())
        except ValueError:
            continue
        digits = any(char.isdigit() for char in match.group())  # a::b is C++
        if digits and not (address.is_loopback or address.is_unspecified):
            yield Detection(*match.span(), "ip")
