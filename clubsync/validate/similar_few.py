"""R23: the same weighing as `similarity.score`, pair by pair: of a few pairs, a hundred queries of Polars cost more.

What each thing is worth, and how names are read, is `similarity`'s; a test holds both ways against one another.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from rapidfuzz.distance import OSA

from clubsync.validate.similarity import (
    BIRTH,
    CROSSED,
    FIRST,
    LAST,
    LOCAL,
    LOCAL_OF_NAMES,
    PHONE,
    PHONE_DIGITS,
    THRESHOLD,
    made_of,
    plain,
    sound,
)

_ALIKE = ("sound", "one", "few", "ending")
_LOCAL = re.compile(r"^[^@+]+")


@dataclass(frozen=True)
class Person:
    """A record as `similarity.PEOPLE` has it, read once."""

    first: str | None
    last: str | None
    phone: str | None
    birth: str | None
    local: str | None

    @classmethod
    def of(
        cls,
        first_name: str | None,
        last_name: str | None,
        phone: str | None,
        birth_date: date | None,
        email: str | None,
    ) -> Person:
        """:param email: the normalised one."""
        digits = re.sub(r"\D", "", phone)[-PHONE_DIGITS:] if phone else ""
        start = _LOCAL.match(email) if email else None
        local = "".join(c for c in start[0] if unicodedata.category(c)[0] in "LN") if start else ""
        return cls(
            first=(plain(first_name) or None) if first_name else None,
            last=(plain(last_name) or None) if last_name else None,
            phone=digits if len(digits) >= 6 else None,
            birth=f"{birth_date:%Y%m%d}" if birth_date else None,
            local=local if len(local) >= 4 else None,
        )

    @property
    def whole(self) -> list[str] | None:
        """All parts of the names, sorted; None for fewer than two."""
        parts = " ".join(filter(None, (self.first, self.last))).split()
        return sorted(parts) if len(parts) >= 2 else None

    @property
    def own_local(self) -> bool:
        return self.local is not None and made_of(self.local, self.last or "", self.first or "")


def weigh(a: Person, b: Person) -> tuple[float, list[str]] | None:
    """The score of a pair and the reasons for it; None: it is not suggested."""
    first, last = _level(a.first, b.first, endings=True), _level(a.last, b.last)
    straight = (FIRST[first] if first else 0.0) + (LAST[last] if last else 0.0)
    crossed = _crossed(a, b)
    swapped = crossed is not None and crossed > straight
    phone, birth = _code(a.phone, b.phone), _code(a.birth, b.birth, turned=True)
    local = _code(a.local, b.local, numbered=True)
    of_names = a.own_local and b.own_local
    bits = crossed if crossed is not None and swapped else straight
    bits += (PHONE[phone] if phone else 0.0) + (BIRTH[birth] if birth else 0.0)
    bits += (LOCAL_OF_NAMES if of_names else LOCAL)[local] if local else 0.0
    if bits < THRESHOLD:
        return None
    told = {"phone": phone, "birth_date": birth, "email": local}
    reasons = [f"{_prefix(level)}_{name}" for name, level in told.items() if _prefix(level)]
    names = "names_swapped" if swapped else _names(first, last)
    return round(1 / (1 + 2.0 ** (THRESHOLD - bits)), 3), [*reasons, *filter(None, [names])]


def _crossed(a: Person, b: Person) -> float | None:
    """What the names are worth, each in the other's place."""
    if a.whole is not None and a.whole == b.whole:
        return 13.0
    one, other = _level(a.first, b.last), _level(a.last, b.first)
    return None if one is None or other is None else CROSSED[one] + CROSSED[other]


def _prefix(level: str | None) -> str | None:
    if level == "same":
        return "same"
    return "near" if level in _ALIKE else None


def _names(first: str | None, last: str | None) -> str | None:
    """What speaks for the pair in the names."""
    if first == last == "same":
        return "same_name"
    if (first, last) in (("one", "same"), ("same", "one")):
        return "names_one_letter"
    alike = ("same", *_ALIKE)
    near = (*alike, "part")
    if first in near and last in near:
        return "names_part" if "part" in (first, last) else "names_near"
    if first in alike:
        return "same_first_name"
    return "same_last_name" if last in alike else None


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _level(x: str | None, y: str | None, *, endings: bool = False) -> str | None:
    """How much two names are alike: `similarity._levels`."""
    if x is None or y is None:
        return None
    part = f" {x} " in f" {y} " or f" {y} " in f" {x} "
    x, y = x.replace(" ", ""), y.replace(" ", "")
    slips, shorter, longer = OSA.distance(x, y), min(len(x), len(y)), max(len(x), len(y))
    if slips == 0:
        return "same"
    # Invité 1 and Invité 2 are numbered, not misspelt
    if _digits(x) != _digits(y):
        return "other"
    if shorter == 1 and x[0] == y[0]:
        return None
    if shorter >= 3 and sound(x) and sound(x) == sound(y):
        return "sound"
    stem = max(shorter - 2, 3)
    if endings and slips <= 3 and longer >= 4 and x[:stem] == y[:stem]:
        return "ending"
    if slips == 1 and longer >= 4:
        return "one"
    if slips == 2 and shorter >= 6:
        return "few"
    return "part" if shorter >= 3 and part else _far(slips, shorter)


def _far(slips: int, shorter: int) -> str:
    return "far" if slips <= 3 and slips * 2 <= shorter else "other"


def _code(
    x: str | None, y: str | None, *, turned: bool = False, numbered: bool = False
) -> str | None:
    """Telephones, birth dates and email names: `similarity._codes`.

    :param turned: day and month may be in each other's place.
    :param numbered: who differ in digits are two.
    """
    if x is None or y is None:
        return None
    if x == y:
        return "same"
    # marie.dupont and marie.dupont2 are two who wanted one address
    if OSA.distance(x, y) == 1 and not (numbered and _digits(x) != _digits(y)):
        return "one"
    return "one" if turned and x[:4] + x[6:8] + x[4:6] == y else "other"
