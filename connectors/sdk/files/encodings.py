"""The bytes of a text file -> its text: which encoding it has, and whether it was encoded wrongly before (R14).

What is valid UTF-8 beyond ASCII is UTF-8, whatever the settings say: no other text happens to be. Everything else
has the configured encoding, or else the one of `CANDIDATES` in which its words look like words. Nothing is guessed
where that is in doubt: a name that is read wrongly overwrites a right one, and a status that is read wrongly is an
unknown word. Messages name rows and encodings, never a cell (R19).
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable

from connectors.sdk.errors import FileBroken, SettingsWrong

#: What exports in Western Europe are encoded in, if not in UTF-8; in a tie the first one counts.
CANDIDATES = ("cp1252", "iso-8859-15", "cp850", "mac_roman")

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Words with bytes beyond ASCII. It begins where a word begins and never goes back, so that its time grows with the
#: text and not with its square.
_WORDS = re.compile(rb"(?<![A-Za-z\x80-\xff])[A-Za-z]*+[\x80-\xff][A-Za-z\x80-\xff]*+")
#: A longer one is no word.
_LONGEST_WORD = 100
#: Encodings of Python's that no file of text has.
_NOT_OF_FILES = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
#: Words that are looked at to recognise an encoding, and bytes that they are taken from.
_ENOUGH, _PART = 5_000, 16 * 2**20
#: Bytes that show whether a text is in UTF-16.
_UTF16_PART = 4096
#: Signs that stand between or beside words in any text.
_USUAL_SIGNS = frozenset("’‘“”«»–—…€°ºª·•§©®™²³½¼¾¿¡\u00a0\u00ad´`¨")
#: Letters beyond ASCII that names in Western Europe are written with.
_LETTERS = frozenset("éèêëàâäçïîôöüùûñáíóúãõßœåøæÿ")
_CHOOSE = "Set `encoding` in the club's settings to the encoding of the export, or export as UTF-8."


def decoded(data: bytes, name: str, encoding: str | None = None) -> str:
    """The text of a file.

    :param encoding: the configured one; None: it is recognised.
    :raises FileBroken: it is truncated, or in no one encoding; the row is named.
    :raises SettingsWrong: there is no such encoding.
    """
    codec = _configured(encoding)
    for bom, unicode in _BOMS:
        if data.startswith(bom):
            return _strictly(data, name, unicode)
    codec = _without_bom(data) or codec
    if codec is not None and codec.startswith(("utf-16", "utf-32")):
        return _strictly(data, name, codec)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        first = e
    if codec == "utf-8":
        raise _not(data, name, "UTF-8", first.start, encoding or "utf-8")
    _refuse_broken_utf8(data, name, first)
    if codec is not None:
        return _plausible(data, name, codec)
    return _recognised(data, name)


def _without_bom(data: bytes) -> str | None:
    """UTF-16 without a byte order mark: every other byte of its Latin letters is NUL, which no other text has."""
    start = data[:_UTF16_PART]
    high, low = (start[at::2].count(0) / max(len(start) // 2, 1) for at in (1, 0))
    if high > 0.7 and low < 0.1:
        return "utf-16-le"
    return "utf-16-be" if low > 0.7 and high < 0.1 else None


def _configured(encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        codec = codecs.lookup(encoding).name
        b"".decode(codec)  # only encodings of text can
    except (LookupError, ValueError):
        codec = "undefined"
    if codec in _NOT_OF_FILES:
        raise SettingsWrong(
            f"The encoding {encoding!r} does not exist.",
            remedy="Correct `encoding` in the club's settings, for example utf-8, cp1252 or cp850.",
        )
    return "utf-8" if codec == "utf-8-sig" else codec


def _strictly(data: bytes, name: str, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as e:
        if "unexpected end" in e.reason or "truncated" in e.reason:
            raise FileBroken(f"{name} is truncated in the middle of a character.") from None
        raise _not(data, name, codec.removesuffix("-sig").upper(), e.start, codec) from None


def _refuse_broken_utf8(data: bytes, name: str, error: UnicodeDecodeError) -> None:
    """Refuse a file in UTF-8 that is truncated, or has rows in another encoding.

    :param error: the first byte that is not UTF-8.
    """
    before = data[: error.start]
    # an incomplete character at the end of the file: the two bytes with which Latin letters begin in UTF-8 are
    # hardly the last letter of a word in another encoding
    at_end = "unexpected end" in error.reason and error.end >= len(data)
    if at_end and (not before.isascii() or data[error.start] in b"\xc2\xc3"):
        raise FileBroken(f"{name} is truncated in the middle of a character.")
    escaped = data.decode("utf-8", "surrogateescape")
    odd = sum(1 for c in escaped if 0xDC80 <= ord(c) <= 0xDCFF)
    right = sum(1 for c in escaped if c > "\x7f") - odd
    if right >= odd or (not before.isascii() and right * 2 >= odd):
        raise _not(data, name, "UTF-8", error.start, "the rest of it")


def _not(data: bytes, name: str, codec: str, at: int, like: str) -> FileBroken:
    row = data[:at].count(b"\n") + 1
    return FileBroken(
        f"{name} is not {codec.lower() if codec != 'UTF-8' else 'UTF-8'} in row {row}: the byte at {at} is invalid.",
        remedy="Correct that row in the ERP, or export as UTF-8; if the whole file has another encoding, set "
        "`encoding` in the club's settings.",
    )


def _plausible(data: bytes, name: str, codec: str) -> str:
    """The text in the configured encoding, unless its words are none and those of another encoding are."""
    words = _words(data)
    score = _score(words, codec)
    best = max(CANDIDATES, key=lambda c: _score(words, c) or float("-inf"))
    if (score is None or score < 0) and (_score(words, best) or -1) >= 0:
        raise FileBroken(f"{name} does not look like {codec}, but like {best}.", remedy=_CHOOSE)
    try:
        return data.decode(codec)
    except UnicodeDecodeError as e:
        raise _not(data, name, codec, e.start, codec) from None


def _recognised(data: bytes, name: str) -> str:
    """The text in the one of `CANDIDATES` in which its words look like words."""
    words = _words(data)
    scores = {codec: s for codec in CANDIDATES if (s := _score(words, codec)) is not None}
    best = max(scores, key=lambda codec: scores[codec], default=None)
    if best is None or scores[best] < 0:
        raise FileBroken(
            f"The encoding of {name} cannot be recognised: it is neither UTF-8 nor {', '.join(CANDIDATES)}.",
            remedy=_CHOOSE,
        )
    try:
        return data.decode(best)
    except UnicodeDecodeError as e:
        raise _not(data, name, best, e.start, best) from None


def _words(data: bytes) -> list[bytes]:
    """Words with bytes beyond ASCII, each once."""
    found: dict[bytes, None] = {}
    for word in _WORDS.finditer(data[:_PART]):
        if len(word[0]) <= _LONGEST_WORD:
            found[word[0]] = None
        if len(found) >= _ENOUGH:
            break
    return list(found)


def _score(words: Iterable[bytes], codec: str) -> float | None:
    """How much the words look like words in that encoding, one point each at most; None: it has not all bytes."""
    try:
        return sum(_of_word(word.decode(codec)) for word in words)
    except UnicodeDecodeError:
        return None


def _of_word(word: str) -> float:
    """1 for a word of letters in one case, possibly with a capital; less than 0 for what is no word."""
    score = 1.0
    run = 0
    for at, c in enumerate(word):
        if c < "\x80":
            run = 0
            continue
        inside = 0 < at < len(word) - 1
        if c.isalpha():
            run += 1
            score -= _odd_letter(word, at) + (1.5 if run > 2 else 0)
        elif unicodedata.category(c) == "Cc" or "\u2500" <= c <= "\u259f":
            score -= 4
        elif c in _USUAL_SIGNS:
            # an apostrophe may stand inside a word, other signs beside it
            score -= 2.5 if inside and c not in "’‘´·\u00ad\u00a0" else 0.5
        else:
            score -= 2
    return score


def _odd_letter(word: str, at: int) -> float:
    """Malus of a letter that differs in case from those beside it, or that hardly any name has there."""
    c = word[at]
    before = word[at - 1] if at else ""
    after = word[at + 1] if at + 1 < len(word) else ""
    malus = 0.0
    if c.lower() not in _LETTERS:
        malus += 1.0
    if c.isupper() and (before.islower() or (before and after.islower())):
        malus += 1.5
    if c.islower() and before.isupper() and (after.isupper() or not after) and len(word) > 2:
        malus += 1.5
    if not before and after.islower():
        malus += 0.25 if c.isupper() else 0.4
    if before and unicodedata.normalize("NFD", c)[0].lower() == before.lower():
        malus += 0.75
    elif before.lower() in tuple("aeiou") and c.lower() in "öäæø":
        malus += 0.5
    return malus


# encoded twice -------------------------------------------------------------------------------------

#: What two to four bytes of UTF-8 look like in cp1252: a letter that begins one, and what may follow.
_FOLLOW = "".join(
    sorted({bytes([b]).decode("cp1252", "ignore") or chr(b) for b in range(0x80, 0xC0)})
) + "".join(map(chr, range(0x80, 0xA0)))
_TWICE = re.compile(f"[\u00c2-\u00f4][{re.escape(_FOLLOW)}]{{1,3}}")
_LOST = re.compile("[\u0080-\u009f\u221a\u2500-\u259f\ufffd]")


def is_garbled(cell: str) -> bool:
    """Whether a cell shows that its text was read in a wrong encoding before it was exported: `Ã©` for `é`, control
    characters, box-drawing characters, or the character that stands for a lost one."""
    return bool(_LOST.search(cell)) or any(map(_encoded_twice, _TWICE.findall(cell)))


def _encoded_twice(piece: str) -> bool:
    """Whether a piece of text is UTF-8 that was read as cp1252."""
    raw = b"".join(c.encode("cp1252", "ignore") or c.encode("latin-1", "ignore") for c in piece)
    for size in range(len(raw), 1, -1):
        try:
            c = raw[:size].decode("utf-8")
        except UnicodeDecodeError:
            continue
        # letters, and the signs that word processors make; the rest happens side by side in good text
        return any("\u00a0" <= x <= "\u017f" or "\u2010" <= x <= "\u20ac" for x in c)
    return False
