"""Try a connector's settings: read a club, plan its first sync, and store nothing.

The result is for the person who writes the settings: the first records as a sync would see them, who would get access
and why not, every word and group that was seen with what it means, what the settings name and nothing matches, what
the reading does not prove, and which fields of the ERP's response no setting uses. Personal values are masked by
default, because the result may end up in a terminal's log or a ticket (R19).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from clubsync import emails, model
from clubsync.chains import Chain
from clubsync.config import ClubConfig
from clubsync.extract.reader import connector_of
from clubsync.model import Situation
from clubsync.operate import first_sync, group_check
from clubsync.validate import automatic
from connectors.sdk import quoted, words
from connectors.sdk.base import Connection
from connectors.sdk.chains import Split, split
from connectors.sdk.dates import is_usual, no_end_met
from connectors.sdk.model import Consistency, Reading, Words

_ORDINAL = re.compile(r"\.\d+(?=\.|$)")
#: Rows from which on a word is no person's; different words up to which they are few (`explain.quoting`).
_SEVERAL, _FEW = 3, 2
#: Words that nobody is called.
_USUAL = frozenset(
    map(
        words.word,
        (*words.TRUE_WORDS, *words.FALSE_WORDS, *words.ACTIVE_WORDS, *words.INACTIVE_WORDS),
    )
)
#: Situations in which nothing is decided yet: who has access keeps it, who has none does not get it.
_OPEN = (
    *(Situation.UNSEEN, Situation.SUSPECTED, Situation.CONFLICTING, Situation.UNSETTLED),
    *(Situation.ID_REUSED, Situation.IN_DOUBT),
)


@dataclass(frozen=True)
class Tryout:
    """The result of a try.

    :param chain: of a club of a chain (R29): `clubs`, how many records each has, and `unknown`, how many name no
        club of the chain, by the word that they have in its place ("": none).
    :param records: the first records, in the ERP's order.
    :param statuses, access: how many records have each value; access is "yes" of those whom a first sync would add.
    :param situations: how many records are in each situation (`clubsync.diff.plan`).
    :param findings: finding -> how many a first sync would open.
    :param words: of each column or path of words: place, word, count, meaning, access ("yes", "no", "unknown").
    :param groups: id, name, active, held_by (how many customers have the group), access ("yes", "no", "unknown") and
        feeds (the automatic group, or null).
    :param unlisted_groups: id and held_by of groups that customers have and the ERP's list does not.
    :param unmatched: setting -> what it names and nothing that was read matches, but for the groups below.
    :param not_proved: what the reading does not prove, and why, in sentences.
    :param others: records of the ERP that are not the club's own by its `members` (R29).
    :param unused: columns or paths of the ERP's response that no setting uses.
    :param absent_groups: groups of former customers that clubs.yaml names and the ERP does not have (R3).
    :param absent_access_groups: the same of groups that give access.
    :param absent_automatic_groups: the same of groups that feed automatic groups (R4).
    """

    chain: dict[str, Any] | None
    reading: Reading
    records: list[dict[str, Any]]
    statuses: dict[str, int]
    access: dict[str, int]
    situations: dict[str, int]
    findings: dict[str, int]
    words: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    unlisted_groups: list[dict[str, Any]]
    unmatched: dict[str, list[str]]
    not_proved: list[str]
    others: int
    unused: list[str]
    absent_groups: list[str]
    absent_access_groups: list[str]
    absent_automatic_groups: list[str]


def try_out(
    club: ClubConfig,
    resolve: Callable[[str], Connection],
    *,
    first: int = 10,
    show: bool = False,
    chain: Chain | None = None,
) -> Tryout:
    """Read a club with its settings and plan its first sync. Stores nothing.

    :param chain: the clubs that share the tenant, of a club that says which records are its own (R29).
    :param first: how many records to show.
    :param show: whether names, emails and phones are shown unmasked.
    :raises SyncError, ConnectorError: the club cannot be read; what its ERP said is noted for who listens
        (`connectors.sdk.http.said`).
    """
    with no_end_met() as met:
        reading = connector_of(club, resolve, chain=chain).read(full=True)
    rows, shares, called = reading.customers.height, None, None
    if chain is not None:
        found = split(reading, chain.words, chain.elsewhere)
        reading, shares, called = found.own[club.id], _shares(found, show), found.called
    planned = first_sync.planned(reading, club)
    records = planned.records.with_columns(gets=_gets())
    names = dict(reading.groups.select("id", "name").iter_rows())
    used = {*reading.column_of.values(), *reading.decided_by}
    held = _holders(records)
    listed = set(reading.groups["id"])
    return Tryout(
        chain=shares,
        reading=reading,
        records=[_shown(row, names, show) for row in records.head(first).iter_rows(named=True)],
        statuses=_counts(records, "status"),
        access=_counts(records, "gets"),
        situations=_counts(records, "situation"),
        findings=_counts(planned.plan.findings, "code"),
        words=list(_words(reading, records, club, show)),
        groups=list(_groups(reading, planned, held, show)),
        unlisted_groups=[
            {"id": _word(group, show), "held_by": count}
            for group, count in held.items()
            if group not in listed
        ],
        unmatched=_unmatched(reading, club) | _unmatched_words(club, met, called),
        not_proved=_not_proved(reading),
        others=0 if shares is None else rows - reading.customers.height,
        unused=[c for c in reading.columns if not _is_used(c, used)],
        absent_groups=group_check.absent(club.former_groups, reading),
        absent_access_groups=group_check.absent(club.access_groups, reading),
        absent_automatic_groups=group_check.absent(club.automatic_groups, reading),
    )


def _shares(found: Split, show: bool) -> dict[str, Any]:
    """R29: how the tenant's records are split."""
    counted = found.unknown.group_by("word").len().sort("len", "word", descending=[True, False])
    return {
        "clubs": {club: one.customers.height for club, one in found.own.items()},
        "unknown": {_word(name or "", show): int(n) for name, n in counted.iter_rows()},
    }


def _gets() -> pl.Expr:
    """Whether a first sync would give access: "yes", "no", or "unknown" where that is not decided yet."""
    situation = pl.col("situation")
    return (
        pl.when(situation.is_in([Situation.NEW, Situation.ELIGIBLE]))
        .then(pl.lit(model.YES))
        .when(situation.is_in(list(_OPEN)))
        .then(pl.lit(model.UNKNOWN))
        .otherwise(pl.lit(model.NO))
    )


# records ------------------------------------------------------------------------------------------


def _shown(row: dict[str, Any], names: dict[str, str], show: bool) -> dict[str, Any]:
    hide = (lambda value: value) if show else masked
    return {
        "erp_id": row["erp_id"],
        "name": hide(" ".join(filter(None, (row["first_name"], row["last_name"]))) or None),
        "email": hide(row["email"]),
        "phone": hide(row["phone"]),
        "status": row["status"]
        if not row["status_raw"] or row["situation"] == Situation.WITHOUT_ID
        else f"unknown ({hide(row['status_raw'])})",
        "until": row["valid_until"],
        "groups": [_span(group, names, show) for group in row["groups"]],
        "guardian": row["guardian_id"],
        "access": row["gets"],
        "situation": row["situation"],
        "why": _why(row),
    }


def _word(text: str, show: bool) -> str:
    return text if show else quoted.quoted(text)


def _span(group: dict[str, Any], names: dict[str, str], show: bool) -> str:
    until: date | None = group["valid_until"]
    id_, name = group["id"], names.get(group["id"])
    name = _word(name, show) if name else f"{_word(id_, show)} (not in the ERP's list)"
    return f"{name} until {until}" if until else name


def _why(row: dict[str, Any]) -> str | None:
    """Why a record gets no access, in a few words; None if it does."""
    told = {
        Situation.NEW: None,
        Situation.ELIGIBLE: None,
        Situation.DUPLICATE: f"{row['winner']} has the same email and gets access",
        Situation.DEPENDANT: f"family member of {row['owner_id']}",
        Situation.MERGED: f"merged into {row['successor']}",
        Situation.SUSPECTED: "awaits a second reading",
        Situation.CONFLICTING: "the id came several times, with different content",
        Situation.WITHOUT_ID: "the row has no id",
        Situation.NOT_A_PERSON: "not a person",
    }
    if row["situation"] in told:
        return told[Situation(row["situation"])]
    if row["access_reason"]:
        return str(row["access_reason"]).replace("_", " ")
    if row["status"] == "unknown":
        return "unknown status"
    if row["unreadable"]:
        fields = sorted({note["field"] for note in row["unreadable"]})
        return f"cannot be read: {', '.join(fields)}"
    if row["email_state"] != "valid":
        return f"email {row['email_state']}"
    return "unknown group"


def masked(value: str | None) -> str | None:
    """A personal value of which only the form is left; null stays null."""
    return quoted.masked(value) if value else value


# words and groups ---------------------------------------------------------------------------------


def _words(
    reading: Reading, records: pl.DataFrame, club: ClubConfig, show: bool
) -> Iterator[dict[str, Any]]:
    """Every word that decided something, with its count and its meaning."""
    places = list(reading.words)
    if not any(one.kind == "status" for one in places):
        said = records.select("status", status_word=pl.coalesce("status_raw", "status"))
        place = reading.column_of.get("status", "status")
        places.insert(0, Words.of_status(place, said, {}))
    gives: dict[str, str] = dict.fromkeys(club.access_statuses, "yes")
    gives["unknown"] = "unknown"
    for one in places:
        known = {words.word(word) for listed in one.listed.values() for word in listed}
        known |= _USUAL | {meaning for _, meaning in one.seen}
        few = len({word for word, _ in one.seen}) <= _FEW
        for (word, meaning), count in one.seen.items():
            common = few or count >= _SEVERAL or words.word(word) in known
            plain = show or (common and not quoted.is_personal(word))
            access = {"active": "yes", "unknown": "unknown"} if one.kind == "group" else gives
            yield {
                "place": one.place,
                "word": (word if plain else quoted.masked(word)) or None,
                "count": count,
                "meaning": meaning,
                "access": None if meaning == "-" else access.get(meaning, "no"),
            }


def _holders(records: pl.DataFrame) -> dict[str, int]:
    """How many customers have each group, most first."""
    ids = records.select(
        pl.col("groups").list.eval(pl.element().struct.field("id")).list.unique()
    ).explode("groups")
    counted = ids.drop_nulls().group_by("groups").len()
    return dict(counted.sort("len", "groups", descending=[True, False]).iter_rows())


def _groups(
    reading: Reading, planned: first_sync.FirstSync, held: Mapping[str, int], show: bool
) -> Iterator[dict[str, Any]]:
    """The ERP's groups, with who has them and what they are worth (R3, R4)."""
    policy = planned.policy
    fed = {
        row["id"]: row["name"] for row in automatic.feeds(reading.groups, policy).rows(named=True)
    }
    former = set(words.words(policy.former_groups))
    gives = set(words.words(policy.access_groups))
    for group in reading.groups.iter_rows(named=True):
        forms = {words.word(group["id"]), words.word(group["name"] or "")}
        if forms & former or group["active"] is False or (gives and not forms & gives):
            access = "no"
        else:
            access = "yes" if group["active"] else "unknown"
        feeds = fed.get(group["id"])
        yield {
            **group,
            **{name: _word(group[name], show) for name in ("id", "name")},
            "held_by": held.get(group["id"], 0),
            "access": access,
            "feeds": _word(feeds, show) if feeds and access != "no" else None,
        }


# what does not fit --------------------------------------------------------------------------------


def _unmatched(reading: Reading, club: ClubConfig) -> dict[str, list[str]]:
    """What the settings name and nothing matches: words, statuses and placeholder emails."""
    found: dict[str, list[str]] = {}
    for one in reading.words:
        seen = {words.word(word) for word, _ in one.seen}
        for setting, listed in one.listed.items():
            missing = [word for word in listed if words.word(word) not in seen]
            if missing:
                found.setdefault(f"settings.{setting}", []).extend(missing)
    statuses = set(reading.customers["status"])
    named = {str(status) for status in club.access_statuses} - {"active"}
    if missing := sorted(named - statuses):
        found["access_statuses"] = missing
    addresses = reading.customers["email"].drop_nulls()
    usual = _placeholders(addresses, ())
    if missing := [
        pattern
        for pattern in club.placeholder_emails
        if _placeholders(addresses, (pattern,)) == usual
    ]:
        found["placeholder_emails"] = missing
    return found


def _unmatched_words(
    club: ClubConfig, met: Collection[str], called: Collection[str] | None
) -> dict[str, list[str]]:
    """Words of clubs.yaml that nothing has: for "never ends" (R3), and for clubs of the chain (R29).

    :param met: those of `no_end` that stood in place of a date.
    :param called: the words by which the tenant's records name clubs; None: the club is in no chain.
    """
    found = {"no_end": [one for one in club.no_end if one not in met and not is_usual(one)]}
    if club.members is not None and called is not None:
        for setting, listed in (("is", club.members.own), ("elsewhere", club.members.elsewhere)):
            found[f"members.{setting}"] = [one for one in listed if words.word(one) not in called]
    return {setting: missing for setting, missing in found.items() if missing}


def _placeholders(addresses: pl.Series, patterns: Sequence[str]) -> int:
    state = emails.evaluate(addresses, patterns)["email_state"]
    return int((state == emails.PLACEHOLDER).sum())


def _not_proved(reading: Reading) -> list[str]:
    """What a reading does not prove, and why (R14)."""
    found = list(reading.certificate.doubts)
    if not reading.certificate.complete:
        found.append(
            "The reading is incomplete, so nobody loses access for being missing from it, and nobody is merged."
        )
    elif reading.consistency is Consistency.BY_POSITION:
        found.append(
            "Pages by position are not one moment: who is missing loses access only after a second reading misses "
            "them too. `overlap`, `keyset` by id, or `customers.one` prove it at once."
        )
    elif reading.consistency is not Consistency.MOMENT:
        found.append(
            "Who is missing is gone, but pages are not one moment: an email that changes hands waits for a second "
            "reading."
        )
    joined = reading.memberships
    if joined is not None and joined.proof not in (Consistency.MOMENT, Consistency.BY_ID):
        found.append(
            "The list of memberships is read in pages by position, or is incomplete: a membership that is missing "
            "from it counts only after a second reading misses it too."
        )
    if reading.file is not None and not reading.file.counted and reading.file.line_end is not None:
        found.append(
            "Nothing states how many rows the file has: one that ends at the end of a line is taken for whole. "
            "A file with the number beside it (FILE.rows) would prove it."
        )
    return found


def _counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    counted = frame.group_by(column).len().sort("len", column, descending=[True, False])
    return {str(name): int(n) for name, n in counted.iter_rows()}


def _is_used(column: str, used: set[str]) -> bool:
    """Whether a setting uses this path, a path above it or a path below it."""
    plain = column.replace("[]", "")
    for path in used:
        # of a JMESPath the part before its first bracket; of `phones.0` the list
        start = _ORDINAL.sub("", path.partition("[")[0])
        if plain == start or plain.startswith(f"{start}.") or start.startswith(f"{plain}."):
            return True
    return False
