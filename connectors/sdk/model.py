"""The canonical model: what every connector returns, whatever the ERP.

One `Reading` is one club at one moment. Frames are Polars, one row per ERP customer or group. The connector
drops the fields that the sync does not need before anything is stored (R19).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from connectors.sdk.messages import message

#: A customer's status. `active` gives access; a club may let others give it too (R3).
#: `unknown` is a status that is missing or in none of the lists: it changes nothing.
STATUSES = (
    "active",
    "prospect",
    "paused",
    "suspended",
    "former",
    "archived",
    "deleted",
    "unknown",
)

GROUP_REF = pl.Struct({"id": pl.String, "valid_from": pl.Date, "valid_until": pl.Date})

#: Columns of `Reading.customers`, in order. Blank strings are null. Text is stripped.
#:
#: - `erp_id`: the ERP's immutable key; null in every row of a source without ids, in none otherwise.
#: - `email`: as the ERP has it (raw, stripped). Normalising and validating it is not the connector's task.
#: - `phone`: E.164 if `connectors.sdk.fields.phones` can parse it, else as the ERP has it.
#: - `status`: one of `STATUSES`; `status_raw` the ERP's own word, kept only if the status is `unknown`.
#: - `groups`: the ERP groups, products, memberships or benefits that the customer holds: ids of
#:   `Reading.groups`, each with its first and last day (both inclusive, club's calendar;
#:   null = open). Several spans of one group (a pause in between) are several entries.
#: - `valid_from`, `valid_until`: first and last day of the customer's own status (inclusive).
#: - `guardian_id`: ERP id of the family owner or legal representative.
#: - `replaced_by`: ERP id that the ERP itself names as this record's successor (R10).
#: - `created_at`, `modified_at`: UTC, as the ERP states them.
#: - `placeholder`: not a person (a collective record such as "Customer Deleted", an unfinished sign-up).
CUSTOMER_SCHEMA = pl.Schema(
    {
        "erp_id": pl.String(),
        "email": pl.String(),
        "first_name": pl.String(),
        "last_name": pl.String(),
        "phone": pl.String(),
        "birth_date": pl.Date(),
        "gender": pl.String(),
        "country": pl.String(),
        "status": pl.String(),
        "status_raw": pl.String(),
        "groups": pl.List(GROUP_REF),
        "valid_from": pl.Date(),
        "valid_until": pl.Date(),
        "guardian_id": pl.String(),
        "replaced_by": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "modified_at": pl.Datetime("us", "UTC"),
        "is_company": pl.Boolean(),
        "placeholder": pl.Boolean(),
    }
)

#: Columns of `Reading.groups`: the ERP's own list of groups. `active` null = the ERP does not say.
#: A connector whose ERP has no such list derives it from the customers' rows (all active).
GROUP_SCHEMA = pl.Schema({"id": pl.String, "name": pl.String, "active": pl.Boolean})

#: Start of the doubt of every reading of changes: absence from it means nothing (R14). Stored doubts are searched
#: for it, so that it has to stay the same.
ONLY_CHANGES = "Only what changed since"


@dataclass(frozen=True)
class Certificate:
    """What proves that a reading is complete (R14).

    :param complete: all of this holds: last page seen, totals equal the rows, no page twice, no id twice, file not
        truncated.
    :param doubts: one sentence for each proof that failed; empty if complete.
    :param rows: customer rows received, before repeated ids were merged.
    :param total: the number of rows that the ERP states, if it does.
    :param pages: pages, or files, read.
    """

    complete: bool
    doubts: tuple[str, ...] = ()
    rows: int = 0
    total: int | None = None
    pages: int = 0


@dataclass(frozen=True)
class Reading:
    """One club's customers and groups at one moment, as its ERP states them.

    :param customers: `CUSTOMER_SCHEMA`; no erp_id twice.
    :param groups: `GROUP_SCHEMA`; no id twice.
    :param as_of: UTC; taken before the first request; of a file, its modification time.
    :param conflicting_ids: ids that came several times with different content: present, but unknown
        this time (finding ID_DUPLICATE); they are not in `customers`.
    :param columns: the ERP's own column or field names, in its own order, for exports (R22).
    :param column_of: canonical field -> the ERP's own column that it was read from.
    :param decided_by: names among `columns` that became no field, but on which something was decided.
    :param since: only what changed since then was read (never certified, doubt `ONLY_CHANGES`); None: everything.
    :param notes: how the reading came about, in sentences for the page of the run.
    """

    customers: pl.DataFrame
    groups: pl.DataFrame
    certificate: Certificate
    as_of: datetime
    conflicting_ids: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    column_of: Mapping[str, str] = field(default_factory=dict)
    decided_by: tuple[str, ...] = ()
    since: datetime | None = None
    notes: tuple[str, ...] = ()


def customers_frame(rows: Sequence[Mapping[str, Any]] | pl.DataFrame) -> pl.DataFrame:
    """Rows or a frame with any of the canonical columns -> a frame of exactly `CUSTOMER_SCHEMA`.

    Missing columns become null (`placeholder` and `is_company` false, `groups` empty), text is stripped, also
    of NUL (which no database accepts; in the ids of groups too), and blank text becomes null.
    """
    frame = (
        rows
        if isinstance(rows, pl.DataFrame)
        else pl.DataFrame(
            rows,
            schema_overrides={k: v for k, v in CUSTOMER_SCHEMA.items() if rows and k in rows[0]},
            infer_schema_length=None,
        )
    )
    out = []
    for name, dtype in CUSTOMER_SCHEMA.items():
        if name not in frame.columns:
            col = pl.lit(None, dtype=dtype)
        else:
            col = pl.col(name).cast(dtype)
        if dtype == pl.String:
            col = _without_nul(col).str.strip_chars()
            col = pl.when(col != "").then(col)
        elif name == "groups":
            if name in frame.columns and _nul_within(frame[name]):
                col = col.list.eval(_GROUP_WITHOUT_NUL)
            col = col.fill_null(pl.lit([], dtype=dtype))
        elif dtype == pl.Boolean:
            col = col.fill_null(False)
        out.append(col.alias(name))
    if frame.width == 0:
        return CUSTOMER_SCHEMA.to_frame()
    return frame.select(out)


def _without_nul(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all("\x00", "", literal=True)


_GROUP_WITHOUT_NUL = pl.element().struct.with_fields(_without_nul(pl.field("id")))


def _nul_within(groups: pl.Series) -> bool:
    """Whether any id in a column of `groups` holds a NUL: searched in the flat column, because rewriting every
    list takes seconds for a large club, and there is hardly ever one."""
    if groups.dtype == pl.Null or not isinstance(groups.dtype, pl.List):
        return False
    ids = groups.explode().cast(GROUP_REF).struct.field("id")
    return bool(ids.str.contains("\x00", literal=True).any())


def groups_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of groups -> a frame of exactly `GROUP_SCHEMA`; a repeated id counts once, the first wins."""
    if not rows:
        return GROUP_SCHEMA.to_frame()
    frame = pl.DataFrame(rows, schema=GROUP_SCHEMA).with_columns(_without_nul(pl.col("id", "name")))
    return frame.unique("id", keep="first", maintain_order=True)


def assemble(
    customers: pl.DataFrame,
    groups: pl.DataFrame,
    *,
    as_of: datetime,
    paged: bool,
    pages: int,
    total: int | None = None,
    doubts: Sequence[str] = (),
    columns: Sequence[str] = (),
    column_of: Mapping[str, str] | None = None,
    decided_by: Sequence[str] = (),
    since: datetime | None = None,
) -> Reading:
    """Merge repeated ids and write the certificate, by the same rules for every connector (R14).

    In a file, rows that repeat an id word for word count once and do no harm. In pages any repeated id means
    that rows moved while they were read: not certified. Rows of one id that differ make the
    record unknown this time, and nothing is certified.

    :param customers: `CUSTOMER_SCHEMA`, all rows received, in order.
    :param doubts: what the connector itself could not prove (last page not seen, a page twice, …).
    :param since: only what changed since then was read: whoever is missing has not changed.
    """
    why = list(doubts)
    if since is not None:
        why.append(message(f"{ONLY_CHANGES} {since:%Y-%m-%d %H:%M} UTC was read."))
    rows = customers.height
    if total is not None and total != rows:
        why.append(
            message(
                f"The ERP states a total of {total}, but the number of customers received is {rows}."
            )
        )
    conflicting: tuple[str, ...] = ()
    if rows and customers["erp_id"].null_count() < rows:
        ids = customers["erp_id"]
        if ids.null_count():
            why.append(message(f"Rows without an id were left out: {ids.null_count()}."))
            customers = customers.filter(pl.col("erp_id").is_not_null())
        repeated = customers.filter(pl.col("erp_id").is_duplicated())
        if repeated.height:
            distinct = repeated.unique(maintain_order=True)
            conflicting = tuple(
                distinct.filter(pl.col("erp_id").is_duplicated())["erp_id"].unique().sort()
            )
            if paged:
                n = repeated["erp_id"].n_unique()
                why.append(
                    message(f"Rows moved while they were read: {n} ids came more than once.")
                )
            elif conflicting:
                why.append(
                    message(
                        f"{len(conflicting)} ids are in the file several times with different content."
                    )
                )
            customers = customers.filter(~pl.col("erp_id").is_in(list(conflicting))).unique(
                "erp_id", keep="first", maintain_order=True
            )
    return Reading(
        customers=customers,
        groups=groups,
        certificate=Certificate(
            complete=not why, doubts=tuple(why), rows=rows, total=total, pages=pages
        ),
        as_of=as_of,
        conflicting_ids=conflicting,
        columns=tuple(name.replace("\x00", "") for name in columns),
        column_of={k: name.replace("\x00", "") for k, name in (column_of or {}).items()},
        decided_by=tuple(decided_by),
        since=since,
    )
