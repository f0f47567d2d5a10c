"""What `affected` asks the base: of one club, or of a batch of clubs whose ids and emails are marked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar, Protocol

import polars as pl

from clubsync.frames import attach
from clubsync.marks import ONE_CLUB, TOGETHER, Marks, marked, split_marked
from clubsync.model import BASE
from clubsync.store import record_index
from clubsync.store.database import Driver, fetch, queries
from clubsync.store.snapshots import KEPT
from connectors.sdk.model import CUSTOMER_SCHEMA

#: The mirror's columns, as a plan needs them.
MIRROR: dict[str, Any] = {
    **{name: CUSTOMER_SCHEMA[name] for name in KEPT if name not in ("row_hash", "groups")},
    "groups": pl.String,
    "unreadable": pl.String,
    "remembered": pl.String,
    "email_norm": pl.String,
    "row_hash": pl.Int64,
    "as_of": pl.Datetime("us", "UTC"),
    "snapshot": pl.Int64,
    "gone": pl.Boolean,
    "access": pl.String,
    "lapsed": pl.Boolean,
    "former": pl.Boolean,
}
#: A base customer's columns, with the numbers of its automatic groups.
BASE_ROW: dict[str, Any] = {
    **{
        n: t
        for n, t in BASE.items()
        if n not in ("groups", "keep", "undone", "awaits_email_of", "same_person")
    },
    "auto_groups": pl.List(pl.Int64),
}
#: The marked columns of these.
_MIRROR_NAMES = ("erp_id", "email_norm", "guardian_id", "replaced_by")
_BASE_NAMES = ("erp_id", "email")


class Source(Protocol):
    """The base, inside a transaction.

    :param marks: how it takes ids and emails, and gives them; lists of groups it gives as JSON with bare ids.
    """

    marks: Marks
    #: What `customers` gives.
    base_row: ClassVar[dict[str, Any]]

    def records(self, ids: Collection[str]) -> pl.DataFrame:
        """These records, as the mirror has them: `MIRROR`."""

    def all_records(self) -> pl.DataFrame:
        """All of them."""

    def customers(self, ids: Collection[str], emails: Collection[str]) -> pl.DataFrame:
        """The base customers of these records, and those with these emails."""

    def all_customers(self) -> pl.DataFrame:
        """All of them."""

    def related(
        self,
        known: pl.DataFrame,
        ids: Collection[str],
        emails: Collection[str],
        beside: Collection[str],
    ) -> list[str]:
        """Records that share one of these emails, or are linked with one of these ids.

        :param known: the record index.
        :param beside: records that are known to be in question, of which nothing is asked.
        """

    def records_of(self, place: int, ids: Collection[str]) -> pl.DataFrame:
        """`records` of one club, by its place, without marks."""

    def former_records(self, places: Collection[int]) -> list[str]:
        """R3: records of the clubs at these places that a group of former customers keeps out."""

    def moves_under_way(self) -> list[str]:
        """R29: records that another club has not taken over yet."""


class OneClub:
    """One club's base."""

    marks = ONE_CLUB
    base_row: ClassVar[dict[str, Any]] = BASE_ROW

    def __init__(self, driver: Driver, club: int) -> None:
        self._driver, self._club = driver, club

    def records(self, ids: Collection[str]) -> pl.DataFrame:
        asked = list(ids)
        return fetch(self._driver, queries().records_by_id, MIRROR, club=self._club, ids=asked)

    def all_records(self) -> pl.DataFrame:
        return fetch(self._driver, queries().all_records, MIRROR, club=self._club)

    def customers(self, ids: Collection[str], emails: Collection[str]) -> pl.DataFrame:
        asked = {"ids": list(ids), "emails": list(emails)}
        query = queries().customers_by_record
        return fetch(self._driver, query, BASE_ROW, club=self._club, **asked)

    def all_customers(self) -> pl.DataFrame:
        return fetch(self._driver, queries().all_customers, BASE_ROW, club=self._club)

    def related(
        self,
        known: pl.DataFrame,
        ids: Collection[str],
        emails: Collection[str],
        beside: Collection[str],
        *,
        base_emails: Sequence[str] = (),
    ) -> list[str]:
        """:param base_emails: of these emails it is asked too whose base customer has them."""
        candidates = record_index.by_email(known, emails)
        found = queries().related_ids(
            self._driver,
            club=self._club,
            ids=list(ids),
            emails=list(emails),
            candidates=[erp_id for erp_id in candidates if erp_id not in beside],
            base_emails=list(base_emails),
        )
        return [row["erp_id"] for row in found]

    def records_of(self, place: int, ids: Collection[str]) -> pl.DataFrame:
        assert place == 0
        return self.records(ids)

    def former_records(self, places: Collection[int]) -> list[str]:
        if not places:
            return []
        rows = queries().former_records(self._driver, club=self._club)
        return [row["erp_id"] for row in rows]

    def moves_under_way(self) -> list[str]:
        rows = queries().moves_under_way(self._driver, club=self._club)
        return [row["erp_id"] for row in rows]


class Batch:
    """The bases of several clubs, which bear the marks of their places in the batch."""

    marks = TOGETHER
    #: `place`: of the customer's club in the batch.
    base_row: ClassVar[dict[str, Any]] = {**BASE_ROW, "place": pl.Int64}

    def __init__(self, driver: Driver, clubs: Sequence[int]) -> None:
        """:param driver: inside `Base.clubs`."""
        self._driver, self._clubs = driver, list(clubs)
        self._places = pl.DataFrame(
            {"club": self._clubs, "place": range(len(self._clubs))},
            schema={"club": pl.Int64, "place": pl.Int64},
        )

    def records(self, ids: Collection[str]) -> pl.DataFrame:
        clubs, bare = self._apart(ids)
        rows = fetch(self._driver, queries().batch_records, _of(MIRROR), clubs=clubs, ids=bare)
        return self._marked(rows, _MIRROR_NAMES)

    def all_records(self) -> pl.DataFrame:
        rows = fetch(self._driver, queries().batch_all_records, _of(MIRROR), clubs=self._clubs)
        return self._marked(rows, _MIRROR_NAMES)

    def customers(self, ids: Collection[str], emails: Collection[str]) -> pl.DataFrame:
        clubs, bare = self._apart(ids)
        email_clubs, bare_emails = self._apart(emails)
        rows = fetch(
            self._driver,
            queries().batch_customers,
            _of(BASE_ROW),
            clubs=clubs,
            ids=bare,
            email_clubs=email_clubs,
            emails=bare_emails,
        )
        return self._marked(rows, _BASE_NAMES, with_place=True)

    def all_customers(self) -> pl.DataFrame:
        rows = fetch(self._driver, queries().batch_all_customers, _of(BASE_ROW), clubs=self._clubs)
        return self._marked(rows, _BASE_NAMES, with_place=True)

    def related(
        self,
        known: pl.DataFrame,
        ids: Collection[str],
        emails: Collection[str],
        beside: Collection[str],
    ) -> list[str]:
        clubs, bare = self._apart(ids)
        email_clubs, bare_emails = self._apart(emails)
        # an email that two clubs have finds the records of both; the query tells them apart
        candidates = record_index.by_email(known, set(bare_emails))
        candidate_clubs, bare_candidates = self._apart(
            erp_id for erp_id in candidates if erp_id not in beside
        )
        rows = fetch(
            self._driver,
            queries().batch_related,
            {"club": pl.Int64, "erp_id": pl.String},
            clubs=clubs,
            ids=bare,
            email_clubs=email_clubs,
            emails=bare_emails,
            candidate_clubs=candidate_clubs,
            candidates=bare_candidates,
        )
        return self._marked(rows, ("erp_id",))["erp_id"].to_list()

    def records_of(self, place: int, ids: Collection[str]) -> pl.DataFrame:
        return OneClub(self._driver, self._clubs[place]).records(ids)

    def former_records(self, places: Collection[int]) -> list[str]:
        if not places:
            return []
        rows = fetch(
            self._driver,
            queries().batch_former_records,
            {"club": pl.Int64, "erp_id": pl.String},
            clubs=[self._clubs[place] for place in places],
        )
        return self._marked(rows, ("erp_id",))["erp_id"].to_list()

    def moves_under_way(self) -> list[str]:
        rows = fetch(
            self._driver,
            queries().batch_moves_under_way,
            {"club": pl.Int64, "erp_id": pl.String},
            clubs=self._clubs,
        )
        return self._marked(rows, ("erp_id",))["erp_id"].to_list()

    def _apart(self, texts: Iterable[str]) -> tuple[list[int], list[str]]:
        """Marked texts as the clubs of each, and the bare texts."""
        clubs, bare = list[int](), list[str]()
        for text in texts:
            place, one = split_marked(text)
            clubs.append(self._clubs[place])
            bare.append(one)
        return clubs, bare

    def _marked(
        self, rows: pl.DataFrame, names: tuple[str, ...], *, with_place: bool = False
    ) -> pl.DataFrame:
        places = attach(rows.select("club"), self._places, "club")["place"]
        rows = marked(rows.drop("club"), names, places)
        return rows.with_columns(places) if with_place else rows


def _of(schema: dict[str, Any]) -> dict[str, Any]:
    """Of the rows of a batch."""
    return {"club": pl.Int64, **schema}
