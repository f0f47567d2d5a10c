"""R14: how many customers of a reading are known as the same people.

An id alone proves nobody (R1): row numbers in place of ids, or another club's data, show known ids on strangers.
"""

from __future__ import annotations

import polars as pl

from clubsync import emails
from clubsync.store import record_index
from clubsync.store.database import Driver, fetch, queries
from connectors.sdk.words import key

_NAMES = ("first_name", "last_name")
_PEOPLE = {
    **dict.fromkeys(("erp_id", "email_norm", *_NAMES, "phone"), pl.String()),
    "birth_date": pl.Date(),
}


def known_people(driver: Driver, club_no: int, customers: pl.DataFrame) -> int:
    """How many of these customers have an id that the club's records had before in this epoch, gone or not, with
    the same email, name, phone or birth date.

    :param customers: `CUSTOMER_SCHEMA`; with row_hash, where they have been hashed.
    """
    if "row_hash" in customers.columns:
        known = record_index.read(driver, club_no)
        # a known row hash is a known person; only a change of most of them needs more than that
        alike = int(customers["row_hash"].is_in(known["row_hash"].implode()).sum())
        if alike * 2 >= customers.height:
            return alike
    ids = customers["erp_id"].drop_nulls().to_list()
    before = fetch(driver, queries().people_by_id, _PEOPLE, club=club_no, ids=ids)
    return same_people(customers, before)


def same_people(customers: pl.DataFrame, before: pl.DataFrame) -> int:
    """How many customers are the person that their id stood for.

    :param customers: erp_id, email, names, phone and birth date, of a reading.
    :param before: the same as they were known, with email_norm in place of email.
    """
    now = customers.select("erp_id", *_NAMES, "phone", "birth_date").hstack(
        emails.evaluate(customers["email"]).select("email_norm")
    )
    both = _in_one_form(now).join(_in_one_form(before), on="erp_id", how="inner", suffix="_was")

    def same(*columns: str) -> pl.Expr:
        return pl.all_horizontal(pl.col(c) == pl.col(f"{c}_was") for c in columns).fill_null(False)

    alike = same("email_norm") | same(*_NAMES) | same("phone") | same("birth_date")
    return both.filter(alike).height


def _in_one_form(people: pl.DataFrame) -> pl.DataFrame:
    return people.with_columns(key(pl.col(name)).alias(name) for name in _NAMES)
