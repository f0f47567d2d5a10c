"""From the ERP's records to canonical rows.

Dates are as `connectors.sdk.dates` says: a column has one order of day and month, a moment is turned into the club's
own day, and a day that cannot be read is not "no end" (R3). A column is known when all pages are, so days stay texts
until then. What is wrong with one record is unknown of that record; what is wrong with many is `ContractChanged`
(`connectors.sdk.odd`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from connectors.rest.errors import holds
from connectors.rest.keyed import keyed_rows
from connectors.rest.settings import Held, Meaning, RestSettings
from connectors.sdk import cells, chains, fields, odd, words
from connectors.sdk.base import Club
from connectors.sdk.dates import LONG_AGO, Dates
from connectors.sdk.errors import ContractChanged
from connectors.sdk.model import GROUP_REF, UNREADABLE, Words, customers_frame, with_notes
from connectors.sdk.paths import MISSING, Getter, cell, described, getter, identifier

#: columns of the records before texts are parsed, all at once.
RAW = (
    *("id", "email", "first_name", "last_name", "name", "phone", "birth_date", "gender", "country"),
    *("guardian_id", "replaced_by", "created_at", "modified_at", "valid_from", "valid_until"),
    *("is_company", "placeholder", "status_word", "status"),
)
#: A membership before its days are read; `ended`: whatever they are; `clubs`: those of a chain that it names.
RAW_SPAN = {
    "id": pl.String(),
    "from": pl.String(),
    "until": pl.String(),
    "ended": pl.Boolean(),
    "clubs": pl.String(),
}
RAW_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(RAW, pl.String()),
    "groups": pl.List(pl.Struct(RAW_SPAN)),
}
#: fields whose key may be missing from all records: without any other one somebody could gain or lose access.
_OPTIONAL = frozenset({"is_company", "placeholder"})
#: fields of which a record that lacks the key is unknown: whether its end is open, whether it is active.
_DECISIVE = frozenset({"valid_until", "status_word"})
_IDS = frozenset({"id", "guardian_id", "replaced_by"})
_SPANS = pa.large_list(
    pa.struct(
        [
            ("id", pa.large_string()),
            ("from", pa.large_string()),
            ("until", pa.large_string()),
            ("ended", pa.bool_()),
            ("clubs", pa.large_string()),
        ]
    )
)
_PART = 20_000
_BETWEEN = "\x1f"

Spans = dict[str, list[dict[str, Any]]]


def dates_of(settings: RestSettings, club: Club) -> Dates:
    """How the ERP's dates are read."""
    clock = None if settings.clock == "club" else ZoneInfo("UTC")
    formats = (settings.date_format,) if settings.date_format else ()
    return Dates(club, formats, clock)


@dataclass
class Oddities:
    """Records of which something is odd, by the setting that leads there.

    :param count: of how many; :param first: what the first one has there, without its content (R19).
    """

    of: int = 0
    count: int = 0
    first: str = ""

    def add(self, values: Sequence[Any], count: int, is_odd: Callable[[int], bool]) -> None:
        """More of them, and how many are odd, by their places."""
        self.of += len(values)
        self.count += count
        if count and not self.first:
            self.first = described(next(v for at, v in enumerate(values) if is_odd(at)))

    def see(self, value: Any, *, is_odd: bool) -> None:
        """One more."""
        self.add([value], int(is_odd), lambda _: True)

    @property
    def many(self) -> bool:
        return odd.are_many(self.count, self.of)


def no_names(setting: str, path: str, first: str) -> ContractChanged:
    """R4: groups feed automatic groups of their name, and club rules name them: where not one has a name, the path to
    it is wrong.

    :param first: what the first group has there, without its content (R19).
    """
    return ContractChanged(
        f"No group has a text at {path} (settings: {setting}); the first one has {first}.",
        remedy=f"Correct settings: {setting}; of an object with one name per language, name one inside it ({path}.en).",
    )


class Memberships:
    """The groups that customers hold, from items inside records or from a second list.

    :param clubs: where a membership names its club, of a chain (R29).
    :param names: group id -> name, of the groups seen.
    """

    def __init__(self, held: Held, *, omits_empty: bool = False, clubs: str | None = None) -> None:
        self._held = held
        self._clubs_at = clubs
        self._omits_empty = omits_empty
        self._id, self._name = getter(held.id), getter(held.name) if held.name else None
        paths = {
            "from": held.from_,
            "until": held.until,
            "ended.at": held.ended.at if held.ended else None,
        }
        self._paths = {setting: path for setting, path in paths.items() if path}
        absent = held.ended.absent if held.ended else None
        self._getters = {
            setting: _or_absent(path, absent if setting == "ended.at" else None)
            for setting, path in self._paths.items()
        }
        self._without_id = Oddities()
        self._odd_name = Oddities()
        self._missing = {setting: Oddities() for setting in self._paths}
        self.names: dict[str, str] = {}

    def spans(self, items: Iterable[Any]) -> list[dict[str, Any]]:
        """Items as `RAW_SPAN`s; one whose group cannot be told has the id `cells.NOT_TEXT`, and one that lacks what
        says whether it has ended, the last day `cells.NO_KEY`."""
        out = []
        for item in items:
            key = identifier(self._id(item))
            self._without_id.see(item, is_odd=not key or key == cells.NOT_TEXT)
            if not key:
                key = cells.NOT_TEXT
            self.names.setdefault(key, self._named_group(item) or key)
            found = {setting: take(item) for setting, take in self._getters.items()}
            ended = self._held.ended is not None and holds(self._held.ended, item)
            lacks = self._lacks_its_end(item, found) and not ended
            out.append(
                {
                    "id": key,
                    "from": cell(found.get("from")),
                    "until": cells.NO_KEY if lacks else cell(found.get("until")),
                    "ended": ended,
                    "clubs": self._named(item),
                }
            )
        return out

    def _named_group(self, item: Any) -> str | None:
        """The name of a membership's group, if it has one; counts those that cannot be read."""
        if self._name is None:
            return None
        found = self._name(item)
        name = cell(found)
        lacks = found is MISSING and not self._omits_empty
        self._odd_name.see(found, is_odd=lacks or name == cells.NOT_TEXT)
        return None if name == cells.NOT_TEXT else name

    def _named(self, item: Any) -> str | None:
        """The clubs that a membership names, as one text."""
        if self._clubs_at is None:
            return None
        return _BETWEEN.join(chains.names(chains.found(item, self._clubs_at)))

    def _lacks_its_end(self, item: Any, found: Mapping[str, Any]) -> bool:
        """Whether an item lacks a key that would say until when it runs (R3); counts those that lack one."""
        for setting, value in found.items():
            self._missing[setting].see(item, is_odd=value is MISSING)
        ends = (value for setting, value in found.items() if setting != "from")
        return not self._omits_empty and any(value is MISSING for value in ends)

    def check(self) -> None:
        """:raises ContractChanged: many memberships have no group, or lack a key of their days."""
        if self._without_id.many:
            raise ContractChanged(
                f"A membership has no group id at {self._held.id}; it is {self._without_id.first}.",
                remedy="Correct settings: groups.held.id.",
            )
        odd_name = self._odd_name
        if self._held.name and odd_name.many and odd_name.count == odd_name.of:
            raise no_names("groups.held.name", self._held.name, odd_name.first)
        for setting, missing in self._missing.items():
            all_of_them = missing.count == missing.of > 0
            # without its first day a membership has begun; without its last one it is unknown whether it runs
            if self._omits_empty or not (all_of_them or (setting != "from" and missing.many)):
                continue
            raise ContractChanged(
                f"{missing.count} of {missing.of} memberships lack {self._paths[setting]} (settings: "
                f"groups.held.{setting}); the first one is {missing.first}.",
                remedy=f"Correct settings: groups.held.{setting}; if the ERP omits empty values, set omits_empty.",
            )


class Customers:
    """Records, page by page, as frames; and at the end all of them as `CUSTOMER_SCHEMA`.

    :param joined: customer id -> the groups they hold, from a second list; None: there is no such list.
    """

    def __init__(
        self,
        settings: RestSettings,
        club: Club,
        memberships: Memberships | None,
        joined: Spans | None,
    ) -> None:
        self._settings = settings
        self._club = club
        self._memberships = memberships
        self._joined = joined
        self._paths = settings.fields.paths()
        self._getters = {name: getter(path) for name, path in self._paths.items()}
        if settings.status.at is not None:
            self._getters["status_word"] = _or_absent(settings.status.at, settings.status.absent)
            self._paths = {**self._paths, "status_word": settings.status.at}
        self._frames: list[pl.DataFrame] = []
        self._rows: dict[str, list[Any]] = {name: [] for name in RAW_SCHEMA}
        self._words = settings.status.words()
        self._odd = {name: Oddities() for name in self._getters}
        self._missing = {name: Oddities() for name in self._getters}
        self._unless = {
            one.at: getter(one.at) for one in settings.status.unless if one.absent is None
        }
        self._without_flag = {path: Oddities() for path in self._unless}
        self._flags = [(one, getter(one.at), Counter[str]()) for one in settings.status.unless]
        self._said = pl.DataFrame()
        self._no_record, self._no_groups = Oddities(), Oddities()
        members = club.members
        self._club_at = members.at if members is not None and members.of == "record" else None
        self._by_membership = members is not None and members.of == "membership"
        self._clubs: list[list[dict[str, Any]]] = []
        self._no_club = Oddities()

    def add(self, records: Sequence[Any]) -> None:
        """Add a page."""
        others = sum(not isinstance(record, dict) for record in records)
        self._no_record.add(records, others, lambda at: not isinstance(records[at], dict))
        if others:
            records = [record if isinstance(record, dict) else {} for record in records]
        columns: dict[str, list[Any]] = {
            name: self._column(name, take, records) for name, take in self._getters.items()
        }
        for path, take in self._unless.items():
            lacking = [take(record) is MISSING for record in records]
            self._without_flag[path].add(records, sum(lacking), lacking.__getitem__)
        for _, take, counted in self._flags:
            counted.update(_flag(take(record)) for record in records)
        columns["status"] = [
            self._status(record, word)
            for record, word in zip(
                records, columns.get("status_word", [None] * len(records)), strict=True
            )
        ]
        columns["groups"] = [
            self._groups(record, key) for record, key in zip(records, columns["id"], strict=True)
        ]
        if self._club_at is not None:
            found = [getter(self._club_at)(record) for record in records]
            lacking = [value is MISSING for value in found]
            self._no_club.add(records, sum(lacking), lacking.__getitem__)
            self._clubs += [chains.named(None if v is MISSING else v) for v in found]
        for name, values in self._rows.items():
            values += columns.get(name, [None] * len(records))
        if len(self._rows["id"]) >= _PART:
            self._pack()

    def _pack(self) -> None:
        """Turn the rows in Python lists into a frame: many pages at a time, because a frame of a hundred rows costs
        as much as one of thousands."""
        # Arrow converts a list of objects at once, Polars one by one
        groups = pl.Series(pa.array(self._rows.pop("groups"), type=_SPANS))
        texts = {name: pl.Series(name, self._rows[name], dtype=pl.String) for name in RAW}
        self._frames.append(pl.DataFrame({**texts, "groups": groups}, schema=RAW_SCHEMA))
        self._rows = {name: [] for name in RAW_SCHEMA}

    def _column(self, name: str, take: Any, records: Sequence[Any]) -> list[str | None]:
        """The texts at a path; where one cannot be read, a text that says so."""
        as_text = identifier if name in _IDS else cell
        values = [take(record) for record in records]
        missing = sum(value is MISSING for value in values)
        found = [as_text(value) for value in values]
        self._missing[name].add(records, missing, lambda at: values[at] is MISSING)
        wrong = found.count(cells.NOT_TEXT)
        self._odd[name].add(values, wrong, lambda at: found[at] == cells.NOT_TEXT)
        strict = not self._settings.omits_empty and name not in _OPTIONAL
        if missing and strict and name in _DECISIVE:
            return [
                cells.NO_KEY if value is MISSING else text
                for value, text in zip(values, found, strict=True)
            ]
        return found

    def _check(self, *, partial: bool) -> None:
        """:raises ContractChanged: a setting does not match the records: not one of them, or not many."""
        if self._no_record.many or self._no_record.count == self._no_record.of > 0:
            raise ContractChanged(
                "A row of the list of customers is not an object.",
                remedy="Correct settings: customers.records.",
            )
        for name, path in self._paths.items():
            self._check_field(name, path)
        if self._no_club.count == self._no_club.of > 0 and not partial:
            raise ContractChanged(
                f"No record has {self._club_at} (members.at); the first one is {self._no_club.first}.",
                remedy="Correct `at` in the `members` of the chain's clubs.",
            )
        # some ERPs have a flag only where it is set; without any, everybody would be what the words say
        for path, flag in self._without_flag.items():
            if flag.count == flag.of > 0 and not partial and not self._settings.omits_empty:
                raise ContractChanged(
                    f"No record has {path} (settings: status.unless); the first one is {flag.first}.",
                    remedy="Correct settings: status.unless; if the ERP omits empty values, set omits_empty.",
                )
        held = self._settings.groups.held if self._settings.groups else None
        if held is not None and self._no_groups.many:
            raise ContractChanged(
                f"A record lacks {held.at} (settings: groups.held.at); it is {self._no_groups.first}.",
                remedy="Correct the setting; if the ERP omits empty values, set omits_empty.",
            )
        if self._memberships is not None:
            self._memberships.check()

    def _check_field(self, name: str, path: str) -> None:
        setting, missing, wrong = _setting(name), self._missing[name], self._odd[name]
        strict = not self._settings.omits_empty and name not in _OPTIONAL
        if missing.of and missing.count == missing.of and (strict or name == "id"):
            raise ContractChanged(
                f"No record has {path} (settings: {setting}); the first one is {missing.first}.",
                remedy=f"Correct settings: {setting}; if the ERP omits empty values, set omits_empty.",
            )
        # If only some records lack an end, it is unknown whether theirs is open.
        if strict and name in _DECISIVE and missing.many:
            raise ContractChanged(
                f"{missing.count} of {missing.of} records lack {path} (settings: {setting}).",
                remedy="If the ERP omits empty values, set omits_empty.",
            )
        if wrong.many:
            raise ContractChanged(
                f"The value at settings: {setting} is {wrong.first}, not a text.",
                remedy="Name a value inside it, such as contact.email, or emails[0].value of a list.",
            )

    def _status(self, record: Any, word: str | None) -> str:
        rule = self._settings.status
        for one in rule.unless:
            if holds(one, record):
                return one.means
        if rule.at is None:
            return "active"
        form = words.word(word or "")
        if not form:
            return "unknown"
        # a word that says nothing, or cannot be read, is not the other words' meaning (R3)
        nothing = word in cells.BLANK or cells.is_unreadable(word or "")
        return self._words.get(form) or ("unknown" if nothing else rule.otherwise)

    def _groups(self, record: Any, key: str | None) -> list[dict[str, Any]]:
        if self._memberships is None:
            return []
        if self._joined is not None:
            return self._joined.get((key or "").strip(), [])
        held = self._settings.groups.held if self._settings.groups else None
        assert held is not None
        assert held.at is not None
        found = getter(held.at)(record)
        if held.keyed_by is not None and isinstance(found, dict):
            found = keyed_rows(found, held.keyed_by)
        if isinstance(found, list):
            self._no_groups.see(record, is_odd=False)
            return self._memberships.spans(found)
        if found is None or (found is MISSING and self._settings.omits_empty):
            return []
        if found is MISSING or (isinstance(found, str | bool | int | float) and held.id != "@"):
            self._no_groups.see(record, is_odd=True)
            return [dict(_UNKNOWN_SPAN)]
        self._no_groups.see(record, is_odd=False)
        return self._memberships.spans([found])

    def frame(self, *, partial: bool = False) -> pl.DataFrame:
        """All records, as `CUSTOMER_SCHEMA`.

        :param partial: only what changed was read: a single odd record may be all of it.
        :raises ContractChanged: a setting does not match the records.
        """
        self._pack()
        self._check(partial=partial)
        raw = pl.concat(self._frames)
        self._said = raw.select("status_word", "status")
        configured = settings_of(self._settings)
        dates = dates_of(self._settings, self._club)
        split = fields.split_names(raw["name"])
        frame = raw.select(
            *("email", "country", "groups", "birth_date", "created_at", "modified_at"),
            *("valid_from", "valid_until", "status"),
            erp_id="id",
            first_name=pl.coalesce("first_name", split["first_name"])
            if "name" in configured
            else "first_name",
            last_name=pl.coalesce("last_name", split["last_name"])
            if "name" in configured
            else "last_name",
            phone=fields.phones(raw["phone"], self._club.country),
            gender=fields.gender(pl.col("gender")),
            is_company=words.truth(pl.col("is_company")),
            placeholder=words.truth(pl.col("placeholder")),
            guardian_id=_other("guardian_id"),
            replaced_by=_other("replaced_by"),
            status_raw=pl.when(pl.col("status") == "unknown").then("status_word"),
        ).with_columns(fields.country(pl.col("country")))
        frame = self._with_groups(dates.read(frame), dates)
        customers = customers_frame(frame)
        if customers.height > partial and customers["erp_id"].null_count() == customers.height:
            raise ContractChanged("All ids are blank.", remedy="Correct settings: fields.id.")
        if self._club_at is not None:
            return customers.with_columns(pl.Series("clubs", self._clubs, dtype=chains.CLUBS))
        return customers.with_columns(frame["clubs"]) if self._by_membership else customers

    def words(self) -> list[Words]:
        """The words of the status, of all records, and of the conditions that take precedence over it."""
        rule, found = self._settings.status, []
        if rule.at is not None and self._said.height:
            lists = {f"status.{name}": getattr(rule, name) for name in get_args(Meaning)}
            stated = {name: listed for name, listed in lists.items() if listed}
            found.append(Words.of_status(rule.at, self._said, stated))
        for one, _, counted in self._flags:
            wanted = words.words(one.values)
            seen: dict[tuple[str, str], int] = {
                (said, one.means if words.word(said or str(one.absent)) in wanted else "-"): count
                for said, count in counted.most_common()
            }
            found.append(Words("flag", one.at, seen, {"status.unless": one.values}))
        return found

    def _with_groups(self, frame: pl.DataFrame, dates: Dates) -> pl.DataFrame:
        """The memberships with their days, and those that cannot be read noted."""
        spans = frame.with_row_index("row").select("row", "groups").explode("groups")
        spans = spans.filter(pl.col("groups").is_not_null()).unnest("groups")
        # one that came twice, because rows moved between two pages, is still one
        spans = spans.unique(maintain_order=True)
        if spans.is_empty():
            none = {"clubs": pl.lit([], dtype=chains.CLUBS)} if self._by_membership else {}
            return frame.with_columns(groups=pl.lit([], dtype=pl.List(GROUP_REF)), **none)
        held = self._settings.groups.held if self._settings.groups else None
        first, odd_first = dates.days(spans["from"], others=[spans["until"]])
        last, odd_last = dates.days(spans["until"], others=[spans["from"]])
        if held is not None and not held.until_included:
            last = last.dt.offset_by("-1d")
        ended = spans.select(
            pl.when("ended").then(pl.min_horizontal(pl.lit(last), pl.lit(LONG_AGO))).otherwise(last)
        ).to_series()
        refs = pl.struct(id="id", valid_from=first, valid_until=ended).cast(GROUP_REF)
        lists = spans.select("row", groups=refs).group_by("row", maintain_order=True).agg("groups")
        if self._by_membership:
            lists = lists.join(_clubs_of(spans, first, ended), on="row", how="left")
            lists = lists.with_columns(pl.col("clubs").fill_null(pl.lit([], dtype=chains.CLUBS)))
        out = (
            frame.drop("groups")
            .with_row_index("row")
            .join(lists, on="row", how="left", maintain_order="left")
            .drop("row")
        )
        # of what has ended, no day matters
        odd_first, odd_last = (
            spans.select(pl.when(~pl.col("ended")).then(words)).to_series()
            for words in (odd_first, odd_last)
        )
        notes = [
            spans.with_columns(word=words)
            .filter(pl.col("word").is_not_null())
            .select(
                "row",
                unreadable=pl.struct(
                    field=pl.lit(name), word=pl.col("word").str.slice(0, 40), group="id"
                ).cast(UNREADABLE),
            )
            for name, words in (("valid_from", odd_first), ("valid_until", odd_last))
        ]
        return with_notes(out, notes)


def _clubs_of(spans: pl.DataFrame, first: pl.Series, last: pl.Series) -> pl.DataFrame:
    """R29: the clubs that the memberships of each record name: row, `clubs`; one that names none has a null there."""
    name = pl.col("clubs").str.split(_BETWEEN)
    return (
        spans.select("row", "id", name=name, valid_from=first, valid_until=last)
        .explode("name")
        .select(
            "row",
            clubs=pl.struct(
                name=pl.when(pl.col("name") != "").then("name"),
                group="id",
                valid_from="valid_from",
                valid_until="valid_until",
            ).cast(chains.CLUB),
        )
        .group_by("row", maintain_order=True)
        .agg("clubs")
    )


#: The groups of a record that cannot be read.
_UNKNOWN_SPAN = {
    "id": cells.NOT_TEXT,
    "from": None,
    "until": None,
    "ended": False,
    "clubs": None,
}


def _flag(value: Any) -> str:
    """The word of a flag; of a list the first one."""
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is MISSING else cell(value) or ""


def _or_absent(path: str, absent: Any) -> Getter:
    """The function that returns the value at a path, or `absent` where there is no such key.

    :param absent: None: such a value is missing.
    """
    take = getter(path)
    if absent is None:
        return take

    def found(record: Any) -> Any:
        value = take(record)
        return absent if value is MISSING else value

    return found


def settings_of(settings: RestSettings) -> Mapping[str, str]:
    """Configured field -> path."""
    return settings.fields.paths()


def _setting(name: str) -> str:
    return "status.at" if name == "status_word" else f"fields.{name}"


def _other(name: str) -> pl.Expr:
    """The id of another record: a record is never its own guardian or successor, and 0 means none."""
    other = pl.col(name).str.strip_chars()
    return pl.when(other.ne_missing(pl.col("id")) & (other != "0")).then(other)
