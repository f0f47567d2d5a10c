"""Rows of a file that are nobody's: totals, and notes below the table (R14).

A row that has a name or a phone is a person's, unless its name reads as a total or a note does: "Total 123",
"Nombre de membres : 2", "3 clients au 28/11", "127". In doubt it is a person: a finding too many is seen, a person too
few is not (R22).
"""

from __future__ import annotations

import re

import polars as pl

from connectors.sdk import words

#: Rows at the end of a file that may be totals and notes.
_MOST = 10

#: How a total begins; nobody is called so.
_TOTALS = words.words(
    (
        *("total", "totals", "grand total", "subtotal", "sub-total", "number of"),
        *("totaux", "sous-total", "sous total", "nombre de", "nombre d", "effectif"),
        *("gesamt", "gesamtzahl", "gesamtsumme", "gesamtanzahl", "insgesamt", "zwischensumme"),
        *("anzahl", "totale", "subtotale", "numero di", "totales", "número de", "numero de"),
        *("totaal", "subtotaal", "aantal", "total geral"),
    )
)
_TOTAL = r"^(?:" + "|".join(map(re.escape, _TOTALS)) + r")(?:$|[^\p{L}])"
#: A label and its value, a number in front, a date or a time.
_NOTE = r":|^\W*\d|\d[./-]\d"
#: Digits that a phone has at least, and no number of customers.
_PHONE = 6


def is_note(text: pl.Expr) -> pl.Expr:
    """Whether text in place of a name is none of a person: a total, a note, or no words at all."""
    form = words.key(text)
    note = form.str.contains(_TOTAL) | form.str.contains(_NOTE) | ~form.str.contains(r"\p{L}")
    return note.fill_null(value=True)


def is_person(among: pl.Expr | None = None) -> pl.Expr:
    """Whether a row without an id and without an email is a person's: it has a name or a phone.

    Of columns of `CUSTOMER_SCHEMA`.

    :param among: which rows are asked about, of many.
    """
    name = pl.concat_str("first_name", "last_name", separator=" ", ignore_nulls=True)
    phone = pl.col("phone")
    if among is not None:
        name, phone = pl.when(among).then(name), pl.when(among).then(phone)
    return _is_phone(phone) | ~is_note(name)


def _is_phone(text: pl.Expr) -> pl.Expr:
    digits = text.str.replace_all(r"\D", "").str.len_chars()
    return (digits >= _PHONE).fill_null(value=False)


def apart(customers: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """The rows of a file, and whether its last row is nobody's.

    Of a file with ids, a total whose word is in the column of ids has none. In a file without ids, totals and notes at
    the end are no records.

    :param customers: `CUSTOMER_SCHEMA`, all rows, in order.
    """
    if customers["erp_id"].null_count() == customers.height:
        people = _without_footer(customers)
        return people, people.height < customers.height
    customers = _without_total(customers)
    last = customers.tail(1).filter(pl.col("erp_id").is_null() & pl.col("email").is_null())
    return customers, not last.select(is_person()).to_series().all()


def _without_footer(customers: pl.DataFrame) -> pl.DataFrame:
    """The rows up to the totals and notes at the end."""
    text = pl.concat_str("email", "first_name", "last_name", separator=" ", ignore_nulls=True)
    address = pl.col("email").str.contains("@").fill_null(value=False)
    nobodys = customers.tail(_MOST).select(
        is_note(text) & ~address & ~_is_phone(pl.col("phone")) & pl.col("birth_date").is_null()
    )
    below = nobodys.to_series().reverse().cast(pl.Int64).cum_prod().sum()
    return customers.head(customers.height - int(below))


def _without_total(customers: pl.DataFrame) -> pl.DataFrame:
    """Last rows of which nothing but the id is words (`Total`, a note), where no other id is: they have no id."""
    said = pl.col("erp_id")
    words_ = said.str.contains(r"\p{L}") & (said.str.contains("[ :]") | ~said.str.contains(r"\d"))
    silent = [
        ~pl.col(name).str.contains(r"[\p{L}@]").fill_null(value=False)
        for name in ("email", "first_name", "last_name", "status_raw")
    ]
    label, bare = customers.select(
        label=words_.fill_null(value=False),
        bare=pl.all_horizontal(
            *silent, ~_is_phone(pl.col("phone")), pl.col("groups").list.len() == 0
        ),
    )
    below = int((label & bare).tail(_MOST).reverse().cum_prod().sum())
    people = customers.height - below
    if not below or not people or label.head(people).any():
        return customers
    of_people = pl.int_range(pl.len()) < people
    return customers.with_columns(pl.when(of_people).then("erp_id").alias("erp_id"))
