"""R1: find the identity of rows in a file without ids.

The key is the email, then phone and name, then name and birth date. A row that agrees with exactly one known
record is that record, whatever else has changed. A row that agrees with no record is new, and its id is a keyed
hash of its best key. Rows that no key tells apart, two cards of one name and phone, keep their ids from reading to
reading by their whole content, then in a fixed order. If a row agrees with several records in name and phone, but with
none in the email, nothing is guessed: the known records stay as they are, and a finding says so (ID_DUPLICATE).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

import polars as pl

from clubsync import emails
from clubsync.model import WITHOUT_ID
from clubsync.store import snapshots
from connectors.sdk.model import CUSTOMER_SCHEMA
from connectors.sdk.words import word

LEVELS = 3
_KEYS = ("phone", "first_name", "last_name", "birth_date")
#: Records of one key among which a row's partner is looked for.
_MOST = 50
#: What a record says of a person; the rest decides nothing.
CONTENT = [name for name in snapshots.HASHED if name != "erp_id"]


@dataclass(frozen=True)
class Keys:
    """The keys of a person: email; phone and name; name and birth date. None if a part is missing."""

    email: str | None
    phone_name: tuple[str, str] | None
    name_birth: tuple[str, str] | None

    def at(self, level: int) -> object:
        return (self.email, self.phone_name, self.name_birth)[level]

    def agrees(self, other: Keys) -> int:
        """How many keys both have and are equal."""
        pairs = [(self.at(level), other.at(level)) for level in range(LEVELS)]
        return sum(a is not None and a == b for a, b in pairs)

    def alike(self, other: Keys) -> bool:
        """Whether they agree in a key, and no email tells them apart."""
        return self.email == other.email and self.agrees(other) > 0


@dataclass(frozen=True)
class Known:
    """A record of earlier snapshots.

    :param row_hash: of its content (`snapshots.row_hashes`).
    """

    erp_id: str
    keys: Keys
    gone: bool = False
    row_hash: int | None = None

    def without(self, nobodys: Collection[str]) -> Known:
        """The record, without its email where that is one of these."""
        if self.keys.email is None or self.keys.email not in nobodys:
            return self
        return replace(self, keys=replace(self.keys, email=None))


def keys_of(people: pl.DataFrame) -> list[Keys]:
    """The keys of each row.

    :param people: email_norm, phone, first_name, last_name, birth_date.
    """
    found = []
    for email, phone, first, last, birth in people.select("email_norm", *_KEYS).iter_rows():
        name = _name(first, last)
        found.append(
            Keys(
                email=email,
                phone_name=(phone, name) if phone and name else None,
                name_birth=(name, birth.isoformat()) if birth and name else None,
            )
        )
    return found


def _shared_emails(found: pl.Series, limit: int | None) -> pl.Series:
    """R2: the emails that more rows have than an email of anybody's own; None: no limit."""
    if limit is None:
        return found.clear()
    counted = found.drop_nulls().value_counts(name="rows")
    return counted.filter(pl.col("rows") > limit).get_column(found.name)


def _name(first: str | None, last: str | None) -> str:
    return word(f"{first or ''} {last or ''}")


def resolve(
    customers: pl.DataFrame,
    known: Iterable[Known],
    secret: bytes,
    *,
    placeholders: Iterable[str] = (),
    shared_limit: int | None = None,
    erased: Callable[[str], bool] = lambda _: False,
) -> tuple[pl.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """Give every row its id.

    :param customers: `CUSTOMER_SCHEMA`, with erp_id null in every row.
    :param secret: the club's own key for hashes.
    :param placeholders: addresses that are no email (R2), see `emails.placeholder_pattern`.
    :param shared_limit: an email that more rows have is none either; None: no limit.
    :param erased: whether an id is an erased person's (R20). A new row that one of its own keys says is theirs gets
        that id, so that an email changed since the erasure does not bring them back.
    :returns: the customers with ids, without exact duplicates; the ids of known records that several rows may be;
        and the ids of rows that no key tells apart.
    """
    customers = customers.unique(CONTENT, keep="first", maintain_order=True)
    evaluated = emails.evaluate(customers["email"], placeholders)["email_norm"]
    nobodys = _shared_emails(evaluated, shared_limit)
    own = pl.when(~pl.col("email_norm").is_in(nobodys.implode())).then("email_norm")
    rows = keys_of(customers.select(_KEYS).hstack([evaluated]).with_columns(email_norm=own))
    lacking = set(nobodys)
    people = [person.without(lacking) for person in known]
    given: dict[int, str] = {}
    left = dict(enumerate(people))
    unclear: set[str] = set()
    for level in range(LEVELS):
        _match(level, rows, given, left, unclear)
    _pair_alike(customers, rows, given, left, secret)
    taken = {person.erp_id for person in people}
    shared = _shared(rows)
    for n, keys in enumerate(rows):
        if n not in given:
            theirs = (i for i in ids_of(keys, secret, without=shared) if erased(i))
            given[n] = next(theirs, None) or _new_id(n, keys, shared, taken, secret, customers)
            taken.add(given[n])
    ids = pl.Series("erp_id", [given[n] for n in range(len(rows))], dtype=pl.String)
    unclear -= set(given.values())
    there = {None, *(keys.email for keys in rows)}
    unclear &= {person.erp_id for person in left.values() if person.keys.email not in there}
    twins = sorted(given[n] for n in _twins(rows))
    return customers.with_columns(ids), tuple(sorted(unclear)), tuple(twins)


def _twins(rows: list[Keys]) -> set[int]:
    """Rows that agree with another in name and phone, or name and birth date, and that no email tells apart."""
    found: set[int] = set()
    for level in range(1, LEVELS):
        alike: dict[object, list[int]] = defaultdict(list)
        for n, keys in enumerate(rows):
            if (key := keys.at(level)) is not None:
                alike[keys.email, key].append(n)
        found.update(n for together in alike.values() if len(together) > 1 for n in together)
    return found


def _pair_alike(
    customers: pl.DataFrame,
    rows: list[Keys],
    given: dict[int, str],
    left: dict[int, Known],
    secret: bytes,
) -> None:
    """Pair the rows and records that no key tells apart: two cards of one name and phone, say.

    Those whose whole content is the same first, so that of several only the one that was added, changed or removed
    is new, changed or gone; the others in a fixed order. That gives nobody another's access, for access goes with
    the email, in which they agree or which they lack.
    """
    ids = {person.erp_id: n for n, person in left.items()}
    for row in [n for n in range(len(rows)) if n not in given]:
        made = _content_id(customers, row, secret)
        if made in ids and rows[row].alike(left[ids[made]].keys):
            given[row] = left.pop(ids.pop(made)).erp_id
    pairs = _alike(rows, given, left)
    if not pairs:
        return
    with_ids = customers[[row for row, _ in pairs]].with_columns(
        erp_id=pl.Series([left[n].erp_id for _, n in pairs], dtype=pl.String)
    )
    same = [
        made == left[n].row_hash
        for made, (_, n) in zip(snapshots.row_hashes(with_ids), pairs, strict=True)
    ]
    ranked = sorted(
        zip(same, pairs, strict=True),
        key=lambda one: (
            not one[0],
            left[one[1][1]].gone,
            -rows[one[1][0]].agrees(left[one[1][1]].keys),
            left[one[1][1]].erp_id,
            _content(customers, one[1][0]),
        ),
    )
    for _, (row, n) in ranked:
        if row not in given and n in left:
            given[row] = left.pop(n).erp_id


def _alike(
    rows: list[Keys], given: dict[int, str], left: dict[int, Known]
) -> list[tuple[int, int]]:
    """Pairs of a row and a record, without a partner yet, that agree in a key and in their email."""
    by_key: dict[object, list[int]] = defaultdict(list)
    for n, person in left.items():
        for level in range(LEVELS):
            if (key := person.keys.at(level)) is not None:
                by_key[level, key].append(n)
    pairs: dict[tuple[int, int], None] = {}
    for row, keys in enumerate(rows):
        if row in given:
            continue
        for level in range(LEVELS):
            for n in by_key.get((level, keys.at(level)), ())[:_MOST]:
                if keys.alike(left[n].keys):
                    pairs[row, n] = None
    return list(pairs)


def _content(customers: pl.DataFrame, row: int) -> str:
    """All that a record says, as text."""
    return repr(customers.select(CONTENT).row(row))


def _content_id(customers: pl.DataFrame, row: int, secret: bytes) -> str:
    """The id of a new record that no key tells apart from another."""
    return _hash(secret, LEVELS, _content(customers, row))


def _match(
    level: int,
    rows: list[Keys],
    given: dict[int, str],
    left: dict[int, Known],
    unclear: set[str],
) -> None:
    """Pair rows and records that agree in this key; of several, the unique one that agrees in most keys."""
    by_key: dict[object, list[int]] = defaultdict(list)
    for n, person in left.items():
        key = person.keys.at(level)
        if key is not None:
            by_key[key].append(n)
    wanting: dict[object, list[int]] = defaultdict(list)
    for n, keys in enumerate(rows):
        key = keys.at(level)
        if n not in given and key is not None and key in by_key:
            wanting[key].append(n)
    for key, candidates in wanting.items():
        present = [n for n in by_key[key] if not left[n].gone] or by_key[key]
        open_rows, open_known = list(candidates), list(present)
        for row in candidates:
            if len(open_rows) == 1 and len(open_known) == 1:
                break
            best = _best(rows[row], open_known, left, rows, open_rows)
            if best is not None:
                given[row] = left.pop(best).erp_id
                open_rows.remove(row)
                open_known.remove(best)
        if len(open_rows) == 1 and len(open_known) == 1:
            given[open_rows[0]] = left.pop(open_known[0]).erp_id
        elif open_rows and open_known:
            unclear.update(left[n].erp_id for n in open_known if not left[n].gone)


def _best(
    keys: Keys, candidates: list[int], left: dict[int, Known], rows: list[Keys], rivals: list[int]
) -> int | None:
    """The known record with which this row, and no other row, agrees in more than this key."""
    scores = {n: keys.agrees(left[n].keys) for n in candidates}
    top = max(scores.values(), default=0)
    winners = [n for n, score in scores.items() if score == top]
    if top < 2 or len(winners) != 1:
        return None
    person = left[winners[0]]
    equals = [n for n in rivals if rows[n].agrees(person.keys) >= top]
    return winners[0] if len(equals) == 1 else None


def _shared(rows: list[Keys]) -> set[object]:
    """Keys that several rows have: they identify nobody."""
    seen: set[object] = set()
    twice: set[object] = set()
    for keys in rows:
        for level in range(LEVELS):
            key = keys.at(level)
            if key is not None:
                (twice if key in seen else seen).add(key)
    return twice


def ids_of(keys: Keys, secret: bytes, without: Collection[object] = ()) -> list[str]:
    """The ids that a new row with these keys would get, by each of them.

    :param secret: the club's own key for hashes.
    :param without: keys that identify nobody.
    """
    found = [(level, keys.at(level)) for level in range(LEVELS)]
    return [
        _hash(secret, level, repr(key))
        for level, key in found
        if key is not None and key not in without
    ]


def _new_id(
    n: int,
    keys: Keys,
    shared: set[object],
    taken: set[str],
    secret: bytes,
    customers: pl.DataFrame,
) -> str:
    """An id for a new row: the keyed hash of its best unique key, else of the whole row."""
    for level in range(LEVELS):
        key = keys.at(level)
        if key is not None and key not in shared:
            made = _hash(secret, level, repr(key))
            if made not in taken:
                return made
    text, salt = _content(customers, n), 0
    while (made := _hash(secret, LEVELS + salt, text)) in taken:
        salt += 1
    return made


def _hash(secret: bytes, level: int, text: str) -> str:
    digest = hashlib.blake2b(f"{level}:{text}".encode(), key=secret, digest_size=10)
    return f"~{digest.hexdigest()}"


def rows_without_id(rows: pl.DataFrame, secret: bytes) -> pl.DataFrame:
    """Rows without an id of a source with ids, as records that are nobody's (`model.WITHOUT_ID`).

    Their ids follow from what identifies people, so that a row keeps its finding while it moves in the file.

    :param rows: `Reading.without_id`.
    :returns: `CUSTOMER_SCHEMA`.
    """
    who = ("email", "first_name", "last_name", "phone", "birth_date")
    again: dict[object, int] = defaultdict(int)
    ids = []
    for row in rows.select(who).iter_rows():
        ids.append(WITHOUT_ID + _hash(secret, again[row], repr(row)).removeprefix("~"))
        again[row] += 1
    none = pl.lit(None, dtype=pl.String)
    return rows.with_columns(
        erp_id=pl.Series(ids, dtype=pl.String),
        status_raw=pl.col("row").cast(pl.String),
        guardian_id=none,
        replaced_by=none,
        placeholder=pl.lit(True),
    ).select(CUSTOMER_SCHEMA.names())
