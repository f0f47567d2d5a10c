"""R20: take a person out of what is stored: pure, on frames and JSON values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from clubsync.extract.erased import Erased
from clubsync.frames import compacted
from clubsync.manual.erasure_rows import without_people
from clubsync.store.database import Driver, queries
from clubsync.store.packages import Package

if TYPE_CHECKING:
    from clubsync.store.queries import ErasureRow

#: Columns of JSON text, and those that name another record.
_JSON = ("before", "after", "detail")
_REFERENCES = (
    "guardian_id",
    "replaced_by",
    "m_guardian_id",
    "m_replaced_by",
    "owner_id",
    "successor",
    "undone",
    "same_person",
)


@dataclass(frozen=True)
class Person:
    """An erased person, as an order knows them.

    :param erased: by keyed hashes; `recent` are their emails: a record that a reading from before the order shows for
        the first time under one of them is theirs.
    :param customers: ids of their base customers.
    :param ids: their ERP ids, as long as the order is not complete; none: an earlier version did not keep them.
    """

    erased: Erased
    customers: tuple[int, ...]
    ids: tuple[str, ...]

    @classmethod
    def of(cls, driver: Driver, club: int, order: ErasureRow) -> Person:
        """Read the person of an order."""
        number = order["erasure"]

        def hashes(kind: str) -> frozenset[str]:
            rows = queries().erasure_hashes(driver, club=club, erasure=number, kind=kind)
            return frozenset(row["key_hash"] for row in rows)

        emails = hashes("email")
        base = Erased.read(driver, club)
        known = base.known()
        erased = replace(
            base, ids=hashes("erp_id"), emails=emails, recent=emails, known=lambda: known
        )
        return cls(erased, tuple(order["customers"]), tuple(order["ids"]))

    def out_of(self, customers: pl.DataFrame) -> pl.DataFrame:
        """A snapshot's customers without the person's records."""
        if "unreadable" not in customers.columns:
            # an earlier version stored them; nobody's hash counts what nobody had
            ids = pl.Series(self.erased.names(customers["erp_id"]), dtype=pl.Boolean)
            return customers.filter(~ids)
        return self.erased.without(customers)

    def out_of_ids(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame without the rows of the person's `erp_id`."""
        return frame.filter(~pl.Series(self.erased.names(frame["erp_id"]), dtype=pl.Boolean))

    def out_of_package(self, package: Package) -> Package:
        """What a stage has stored without the person."""
        frames = {
            name: compacted(self._out_of_frame(frame)) for name, frame in package.frames.items()
        }
        return Package(without_people(package.values, self._named), frames)

    def _named(self, text: str) -> bool:
        return text in self.ids

    def _out_of_frame(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame without the person's rows, and without their ids in the rows of others."""
        if "erp_id" in frame.columns:
            frame = self.out_of_ids(frame)
        if "customer" in frame.columns:
            theirs = pl.col("customer").is_in(self.customers).fill_null(False)
            frame = frame.filter(~theirs)
        if not self.ids or frame.is_empty():
            return frame
        if "guardian_id" in frame.columns:
            frame = self._without_wards_email(frame)
        if "sign" in frame.columns:
            named = pl.col("sign").str.split(":").list.get(1, null_on_oob=True).is_in(self.ids)
            frame = frame.filter(~named.fill_null(False))
        ids = list(self.ids)
        return frame.with_columns(
            *(self._out_of_json(frame[name]) for name in _JSON if name in frame.columns),
            *(
                pl.when(~pl.col(name).is_in(ids).fill_null(False)).then(name).alias(name)
                for name in _REFERENCES
                if name in frame.columns
            ),
        )

    def _without_wards_email(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Records whose guardian is the person, without the email that they share with the person."""
        at = frame["guardian_id"].is_in(list(self.ids)).fill_null(False).arg_true()
        theirs = [row for row in at if self.erased.has_email(frame["email_norm"][row])]
        names = [name for name in ("email", "email_norm", "m_email_norm") if name in frame.columns]
        return frame.with_columns(frame[name].scatter(theirs, None) for name in names)

    def _out_of_json(self, column: pl.Series) -> pl.Series:
        words = [word for i in self.ids for word in (i, json.dumps(i)[1:-1])]
        at = column.str.contains_any(words).fill_null(False).arg_true()
        if at.is_empty():
            return column
        return column.scatter(at, [self._out_of_text(text) for text in column.gather(at)])

    def _out_of_text(self, text: str) -> str:
        before: Mapping[str, Any] = json.loads(text)
        after = without_people(before, self._named)
        return text if after == before else json.dumps(after)
