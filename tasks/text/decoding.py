"""Encoding detection: marks, UTF-8, then the Japanese encodings before any Western guess.

A one-line Shift_JIS note is too short for statistics, so the Japanese codecs are tried strictly
and judged by what they yield; charset-normalizer is asked only where that says nothing.
"""

import codecs
import re
import unicodedata

from thirdshift.errors import DocumentUnreadable

SAMPLE = 65_536  # bytes or characters that are judged; more would not change the verdict
MARKS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
# Judged by ourselves, so not to be guessed again.
JAPANESE = ["cp932", "shift_jis", "euc_jp", "shift_jis_2004", "euc_jis_2004", "shift_jisx0213"]
# Declared names that in practice mean a larger set.
WIDER = {"shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949"}
# Declared by default and often wrongly: what the bytes say counts more.
WEAK = {"ascii", "iso8859-1", "cp1252"}

_KANA = re.compile("[ぁ-ゖァ-ヺー]")
_POINTS = re.compile("[、。「」『』・〜～　！？（）々①-◯]")
_GLUED = re.compile("(?<=[a-zA-Zｦ-ﾟ])[一-鿿]|[一-鿿](?=[a-zA-Zｦ-ﾟ])")
_KANJI = re.compile("[一-鿿]")
_HALF = re.compile("[ｦ-ﾟ]")
_WRONG = re.compile("[\ufffd｡-･\ue000-\uf8ff\x80-\x9f]")
_WIDE_RUN = re.compile("[^\x00-\xff]{2,}")
_WESTERN = re.compile("[À-ÖØ-öø-ÿŒœŠšŽžŸ‘’“”–—…€£§°«»·©®™•¡¿½\xa0]")
_CONTROL = re.compile("[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")
_ESCAPE = re.compile(rb"\x1b(\$[@B]|\([BJI])")


def decode(data: bytes, declared: str | None = None) -> str:
    """Return the text of the bytes, without byte-order mark, NUL or lone surrogate.

    `declared` is what the document says of itself; it is followed where it can be true.
    Raises DocumentUnreadable where the bytes are no text or their encoding stays unknown.
    """
    text = _as_declared(data, declared) if declared else None
    return clean(text if text is not None else _guess(data))


def clean(text: str) -> str:
    """Replace what no store or model takes, one character for one, so that spans hold."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text.replace("\0", " "))


def is_text(text: str) -> bool:
    """Tell prose and code from binary data that happened to decode."""
    sample = text[:SAMPLE]
    return len(_CONTROL.findall(sample)) <= max(1, len(sample) // 100)


def _as_declared(data: bytes, declared: str) -> str | None:
    try:
        name = codecs.lookup(declared.strip()).name
        if name in WEAK or data.startswith(tuple(mark for mark, _ in MARKS)):
            return None
        if name.startswith("iso2022_jp"):
            return _iso2022(data) if data.isascii() else None
        return data.decode(WIDER.get(name, name))
    except (LookupError, ValueError):  # an unknown name, or bytes that contradict it
        return None


def _guess(data: bytes) -> str:
    for mark, name in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    if _ESCAPE.search(data[:SAMPLE]) and data.isascii():
        return _iso2022(data)
    text = _utf16(data) if b"\0" in data[:SAMPLE] else None
    if text is None:
        text = _utf8(data)
    for attempt in (_japanese, _western, _statistical):
        if text is None:
            text = attempt(data)
    if text is None or not is_text(text):
        raise DocumentUnreadable(
            "Its bytes are no text in any encoding we know: it is binary, or damaged.",
            "Save it as UTF-8, or leave it out.",
        )
    return text


def _utf8(data: bytes) -> str | None:
    """Decode UTF-8, forgiving a few bad bytes in a text that is plainly UTF-8."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
    wide = sum(not char.isascii() for char in text[:SAMPLE]) - bad if bad else 0
    return text if bad <= wide // 20 or (bad == 1 and wide >= 4) else None


def _utf16(data: bytes) -> str | None:
    """Decode UTF-16 without a mark: the order that yields more ASCII and kana is the right one."""
    even = data[: len(data) // 2 * 2]
    texts = [even.decode(name, "replace") for name in ("utf-16-le", "utf-16-be")]
    text = max(texts, key=lambda text: len(re.findall("[\t\n\r -~ぁ-ヺ、。]", text[:SAMPLE])))
    sample = text[:SAMPLE]
    odd = sum(unicodedata.category(char) in {"Cn", "Co", "Cs"} for char in sample)
    odd += len(re.findall("[\ufffd\0]", sample))
    return text if is_text(text) and odd <= len(sample) // 100 else None


def _japanese(data: bytes) -> str | None:
    """Decode as the more plausible of Shift_JIS and EUC-JP, or neither."""
    shift_jis, euc = (data.decode(name, "replace") for name in ("cp932", "euc_jis_2004"))
    # Chinese and Korean bytes read as Shift_JIS are full of half-width kana, as EUC-JP of kanji.
    alone = not _HALF.search(shift_jis[:SAMPLE])
    scores = {shift_jis: _plausible(shift_jis, alone), euc: _plausible(euc)}
    text = max(scores, key=lambda text: scores[text])
    return text if scores[text] >= 0.5 else None


def _plausible(text: str, alone: bool = False) -> float:
    """Score in 0..1 how much the non-ASCII characters look like Japanese.

    Accents of Western text come out as lone kanji between letters; Chinese and Korean as
    long kanji text without kana, which is believed of tables where kanji may stand `alone`.
    """
    sample = text[:SAMPLE]
    total = sum(not char.isascii() for char in sample)
    kana, kanji = len(_KANA.findall(sample)), len(_KANJI.findall(sample))
    runs = sum(len(run) for run in _WIDE_RUN.findall(sample))
    fair = kana + len(_POINTS.findall(sample)) + 0.6 * len(_HALF.findall(sample))
    if (
        total == 0
        or (runs < total / 2 and fair < total)
        or (kana == 0 and kanji > 24 and not alone)
    ):
        return 0.0
    wrong = len(_WRONG.findall(sample)) + sum(map(_rare, _GLUED.findall(sample)))
    return max(0.0, (fair + 0.7 * kanji - 3 * wrong) / total)


def _rare(kanji: str) -> bool:
    """Tell kanji outside JIS level 1, which few words set right beside Latin letters."""
    return not b"\xb0" <= kanji.encode("euc_jp", "replace") < b"\xd0"


def _western(data: bytes) -> str | None:
    """Decode as Windows-1252 where the few non-ASCII characters are its usual ones."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    sample = text[:SAMPLE]
    total = sum(not char.isascii() for char in sample)
    known = len(_WESTERN.findall(sample))
    return text if known >= 0.95 * total and total <= max(2, len(sample) / 3) else None


def _statistical(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:SAMPLE], cp_exclusion=JAPANESE).best()
    return data.decode(best.encoding, "replace") if best else None


def _iso2022(data: bytes) -> str:
    """Decode ISO-2022-JP as mail programs write it, with ① and ㈱, which Python's codec refuses."""
    text, mode = [], b"(B"
    for index, part in enumerate(_ESCAPE.split(data)):
        if index % 2:
            mode = part
        elif mode.startswith(b"$"):
            text.append(_two_byte(part))
        elif mode == b"(I":
            text.append(bytes(byte | 0x80 for byte in part).decode("cp932", "replace"))
        else:
            text.append(part.decode("ascii", "replace"))
    return "".join(text)


def _two_byte(part: bytes) -> str:
    """Decode JIS X 0208 bytes; a line end inside them is kept."""
    high = bytes(byte | 0x80 if byte > 0x20 else byte for byte in part)
    return high.decode("euc_jis_2004", "replace")
