"""From the ERP's records to canonical rows.

A day with a time is the day on which it falls in the club's calendar; a last day that falls on
midnight is the day before. A last day that cannot be read is not "no end" (R3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from connectors.rest.errors import holds
from connectors.rest.settings import Held, RestSettings
from connectors.sdk import fields, words
from connectors.sdk.base import Club
from connectors.sdk.errors import ContractChanged
from connectors.sdk.model import GROUP_REF, customers_frame
from connectors.sdk.paths import MISSING, getter, names, text

#: columns of the records before texts are parsed, all at once.
RAW = (
    *("id", "email", "first_name", "last_name", "name", "phone", "birth_date", "gender", "country"),
    *("guardian_id", "replaced_by", "created_at", "modified_at", "valid_from", "valid_until"),
    *("is_company", "placeholder", "status_word", "status"),
)
RAW_SCHEMA: dict[str, Any] = {**dict.fromkeys(RAW, pl.String()), "groups": pl.List(GROUP_REF)}
#: fields whose key may be missing from all records: without any other one somebody could gain or lose access.
_OPTIONAL = frozenset({"is_company", "placeholder"})
#: the last day of what has ended, if the ERP does not say when: it has to be the same in every run.
LONG_AGO = date(1970, 1, 1)
_LAST_YEAR = 2199
_SPANS = pa.large_list(
    pa.struct(
        [("id", pa.large_string()), ("valid_from", pa.date32()), ("valid_until", pa.date32())]
    )
)
_PART = 20_000

Spans = dict[str, list[dict[str, Any]]]


class Days:
    """Days from an ERP's texts, each distinct text parsed once."""

    def __init__(self, settings: RestSettings, club: Club) -> None:
        self._zone = club.timezone
        self._clock = club.timezone if settings.clock == "club" else UTC
        self._format = settings.date_format
        self._known: dict[tuple[str, bool], date | None] = {}

    def first(self, value: str | None) -> date | None:
        """The first day. :raises ValueError: it is not a day."""
        return self._day(value, last=False)

    def last(self, value: str | None, *, included: bool = True) -> date | None:
        """The last day. :raises ValueError: it is not a day."""
        day = self._day(value, last=True)
        return day if day is None or included else day - timedelta(days=1)

    def _day(self, value: str | None, *, last: bool) -> date | None:
        if value is None or not value.strip():
            return None
        key = (value.strip(), last)
        if key not in self._known:
            day = self._parsed(key[0], last)
            # 9999-12-31 and the like mean "never"
            self._known[key] = day if day is None or day.year <= _LAST_YEAR else None
        return self._known[key]

    def _parsed(self, value: str, last: bool) -> date | None:
        found = self._formatted(value)
        if found is None:
            try:
                found = (
                    date.fromisoformat(value)
                    if "-" in value[:10] and len(value) == 10
                    else _moment(value)
                )
            except (ValueError, OverflowError):
                day = fields.dates(pl.Series([value]))[0]
                if day is None:
                    raise ValueError("not a day") from None
                found = day
        if not isinstance(found, datetime):
            return found
        local = (found if found.tzinfo else found.replace(tzinfo=self._clock)).astimezone(
            self._zone
        )
        over = last and local.time() == time(0)
        return local.date() - timedelta(days=1) if over else local.date()

    def _formatted(self, value: str) -> date | None:
        if self._format is None:
            return None
        try:
            found = datetime.strptime(value, self._format)  # noqa: DTZ007  # the caller adds the zone
        except ValueError:
            return None
        return found if "%H" in self._format else found.date()


def _moment(value: str) -> datetime:
    """:raises ValueError, OverflowError: it is not a moment."""
    if value.isdecimal() and len(value) in (9, 10, 12, 13):
        return datetime.fromtimestamp(int(value) / (1000 if len(value) > 10 else 1), UTC)
    return datetime.fromisoformat(value)


def _as_iso(value: str | None) -> str | None:
    """Seconds and milliseconds since 1970 as ISO; anything else unchanged."""
    if value is not None and value.isdecimal() and len(value) in (9, 10, 12, 13):
        return _moment(value).isoformat()
    return value


class Memberships:
    """The groups that customers hold, from items inside records or from a second list.

    :param names: group id -> name, of the groups seen.
    """

    def __init__(self, held: Held, days: Days) -> None:
        self._held = held
        self._days = days
        self._id, self._name = getter(held.id), getter(held.name) if held.name else None
        self._from = getter(held.from_) if held.from_ else None
        self._until = getter(held.until) if held.until else None
        self.names: dict[str, str] = {}

    def spans(self, items: Iterable[Any]) -> list[dict[str, Any]]:
        """Items as `GROUP_REF`s.

        :raises ContractChanged: an item without an id, or with an invalid day: read as "never", such an end would
            give permanent access.
        """
        out = []
        for item in items:
            key = text(self._id(item), "groups.held.id")
            if not key:
                raise ContractChanged(
                    f"A membership has no group id at {self._held.id}; "
                    f"it has {', '.join(names(item)) or 'no fields'}.",
                    remedy="Correct settings: groups.held.id.",
                )
            name = text(self._name(item), "groups.held.name") if self._name else None
            self.names.setdefault(key, name or key)
            out.append({"id": key, "valid_from": self._begin(item), "valid_until": self._end(item)})
        return out

    def _begin(self, item: Any) -> date | None:
        return self._day(self._from, item, "from", last=False)

    def _end(self, item: Any) -> date | None:
        until = self._day(self._until, item, "until", last=True)
        if self._held.ended is not None and holds(self._held.ended, item):
            return LONG_AGO if until is None else min(until, LONG_AGO)
        return until

    def _day(self, take: Any, item: Any, name: str, *, last: bool) -> date | None:
        if take is None:
            return None
        found = take(item)
        value = text(found, f"groups.held.{name}")
        try:
            if last:
                return self._days.last(value, included=self._held.until_included)
            return self._days.first(value)
        except ValueError:
            raise ContractChanged(
                "A membership has an invalid day.",
                remedy=f"Correct settings: groups.held.{name}, or settings: date_format.",
            ) from None


class Customers:
    """Records, page by page, as frames; and at the end all of them as `CUSTOMER_SCHEMA`.

    :param joined: customer id -> the groups they hold, from a second list; None: there is no such list.
    """

    def __init__(
        self,
        settings: RestSettings,
        club: Club,
        days: Days,
        memberships: Memberships | None,
        joined: Spans | None,
    ) -> None:
        self._settings = settings
        self._club = club
        self._days = days
        self._memberships = memberships
        self._joined = joined
        self._paths = settings.fields.paths()
        self._getters = {name: getter(path) for name, path in self._paths.items()}
        if settings.status.at is not None:
            self._getters["status_word"] = getter(settings.status.at)
            self._paths = {**self._paths, "status_word": settings.status.at}
        self._frames: list[pl.DataFrame] = []
        self._rows: dict[str, list[Any]] = {name: [] for name in RAW_SCHEMA}
        self._words = settings.status.words()

    def add(self, records: Sequence[Any]) -> None:
        """Add a page.

        :raises ContractChanged: a setting does not match the records.
        """
        columns: dict[str, list[Any]] = {
            name: self._column(name, take, records) for name, take in self._getters.items()
        }
        columns["status"] = [
            self._status(record, word)
            for record, word in zip(
                records, columns.get("status_word", [None] * len(records)), strict=True
            )
        ]
        columns["groups"] = [
            self._groups(record, key) for record, key in zip(records, columns["id"], strict=True)
        ]
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
        setting = _setting(name)
        for record in records:
            if not isinstance(record, dict):
                raise ContractChanged(
                    "A row of the list of customers is not an object.",
                    remedy="Correct settings: customers.records.",
                )
        found = [take(record) for record in records]
        missing = sum(value is MISSING for value in found)
        strict = not self._settings.omits_empty and name not in _OPTIONAL
        # If only some records lack an end, it is unknown whether theirs is open.
        if found and (missing == len(found) and (strict or name == "id")):
            raise ContractChanged(
                f"No record has {self._paths[name]} (settings: {setting}); "
                f"the first one has {', '.join(names(records[0]))}.",
                remedy=f"Correct settings: {setting}; if the ERP omits empty values, set omits_empty.",
            )
        if missing and strict and name in ("valid_until", "status_word"):
            raise ContractChanged(
                f"{missing} of {len(found)} records lack {self._paths[name]} (settings: {setting}).",
                remedy="If the ERP omits empty values, set omits_empty.",
            )
        return [text(one, setting) for one in found]

    def _status(self, record: Any, word: str | None) -> str:
        rule = self._settings.status
        for one in rule.unless:
            if holds(one, record):
                return one.means
        if rule.at is None:
            return "active"
        form = words.word(word or "")
        return self._words.get(form, rule.otherwise) if form else "unknown"

    def _groups(self, record: Any, key: str | None) -> list[dict[str, Any]]:
        if self._memberships is None:
            return []
        if self._joined is not None:
            return self._joined.get((key or "").strip(), [])
        held = self._settings.groups.held if self._settings.groups else None
        assert held is not None
        assert held.at is not None
        found = getter(held.at)(record)
        if found is None or (found is MISSING and self._settings.omits_empty):
            return []
        if not isinstance(found, list):
            found = [] if found is MISSING else [found]
            if not found:
                raise ContractChanged(
                    f"A record lacks {held.at} (settings: groups.held.at); it has {', '.join(names(record))}.",
                    remedy="Correct the setting; if the ERP omits empty values, set omits_empty.",
                )
        return self._memberships.spans(found)

    def frame(self) -> pl.DataFrame:
        """All records, as `CUSTOMER_SCHEMA`."""
        self._pack()
        raw = pl.concat(self._frames)
        settings, configured = self._settings, settings_of(self._settings)
        if raw.height and raw["id"].null_count() == raw.height:
            raise ContractChanged("All ids are blank.", remedy="Correct settings: fields.id.")
        zone = self._club.timezone if settings.clock == "club" else ZoneInfo("UTC")
        formats = (settings.date_format,) if settings.date_format else ()
        split = fields.split_names(raw["name"])
        starts, invalid_start = self._all_days(raw["valid_from"], last=False)
        ends, invalid_end = self._all_days(raw["valid_until"], last=True)
        unread = invalid_start | invalid_end
        frame = raw.select(
            "email",
            "country",
            "groups",
            erp_id="id",
            first_name=pl.coalesce("first_name", split["first_name"])
            if "name" in configured
            else "first_name",
            last_name=pl.coalesce("last_name", split["last_name"])
            if "name" in configured
            else "last_name",
            phone=fields.phones(raw["phone"], self._club.country),
            birth_date=fields.dates(raw["birth_date"], formats),
            gender=fields.gender(pl.col("gender")),
            created_at=fields.moments(_all_iso(raw["created_at"]), zone, formats),
            modified_at=fields.moments(_all_iso(raw["modified_at"]), zone, formats),
            is_company=words.truth(pl.col("is_company")),
            placeholder=words.truth(pl.col("placeholder")),
            guardian_id=_other("guardian_id"),
            replaced_by=_other("replaced_by"),
            valid_from=starts,
            valid_until=ends,
            # An end that cannot be read is not "no end": the record is unknown (R3).
            status=pl.when(unread).then(pl.lit("unknown")).otherwise("status"),
            status_raw=pl.when(unread)
            .then(pl.coalesce("valid_until", "valid_from"))
            .when(pl.col("status") == "unknown")
            .then("status_word"),
        ).with_columns(fields.country(pl.col("country")))
        return customers_frame(frame)

    def _all_days(self, values: pl.Series, *, last: bool) -> tuple[pl.Series, pl.Series]:
        """Days, and which rows have an invalid one."""
        if values.null_count() == values.len():
            nothing = pl.Series([None] * values.len(), dtype=pl.Date)
            return nothing, nothing.is_not_null()
        days: list[date | None] = []
        invalid: list[bool] = []
        for value in values:
            try:
                days.append(self._days.last(value) if last else self._days.first(value))
                invalid.append(False)
            except ValueError:
                days.append(None)
                invalid.append(True)
        return pl.Series(days, dtype=pl.Date), pl.Series(invalid, dtype=pl.Boolean)


def settings_of(settings: RestSettings) -> Mapping[str, str]:
    """Configured field -> path."""
    return settings.fields.paths()


def _setting(name: str) -> str:
    return "status.at" if name == "status_word" else f"fields.{name}"


def _all_iso(values: pl.Series) -> pl.Series:
    return pl.Series(values.name, [_as_iso(v) for v in values], dtype=pl.String)


def _other(name: str) -> pl.Expr:
    """The id of another record: a record is never its own guardian or successor, and 0 means none."""
    other = pl.col(name).str.strip_chars()
    return pl.when(other.ne_missing(pl.col("id")) & (other != "0")).then(other)
