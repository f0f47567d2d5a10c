"""Exports of a simulated club, as its ERP would write them to a folder.

Every function writes the state of a club (`sandbox.world`) as the files of one ERP. A file is written under a
temporary name and then renamed, so that no reader sees half a file, and only if its content changed, so that its
modification time is that of its last change. Whatever lies in its place is replaced. Each function returns the files
that it wrote.

Formats: Eversports and Planity as docs/erps/eversports.md and docs/erps/planity.md infer them; the generic one
as the `csv` connector reads it with `CSV_SETTINGS`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from sandbox import files
from sandbox.world import ClubState, Membership, Person


def _columns(names: str) -> list[str]:
    return names.split(",")


#: Settings of the `csv` connector for the files of `write_csv`.
CSV_SETTINGS: dict[str, Any] = {
    "customers": "customers*.csv",
    "delimiter": ",",
    "fields": {
        "id": "id",
        "email": "email",
        "first_name": "first_name",
        "last_name": "last_name",
        "phone": "phone",
        "birth_date": "birth_date",
        "gender": "gender",
        "status": "status",
        "groups": "groups",
        "group_separator": "|",
        "guardian_id": "guardian",
        "created_at": "created",
        "replaced_by": "replaced_by",
    },
    "active_status": ["active"],
    "paused_status": ["paused"],
    "inactive_status": ["prospect", "former", "archived"],
    "groups": {"file": "groups.csv", "id": "id", "name": "name", "active": "active"},
}

EVERSPORTS_HEADER = _columns(
    "Customer number,First name,Last name,Email,Phone,Mobile,Birthday,Street,Zip,City,Country,"
    "Customer group,Status,Note,Created,Last booking,Next booking,Family owner,Account type"
)
MEMBERSHIPS_HEADER = _columns(
    "Customer number,Customer,Membership name,Validity,Termination received,Automatic extension,"
    "Payment terms,Payment type,Last pause"
)
PLANITY_HEADER = _columns(
    "Nom,Prénom,Téléphone,Email,Genre,Date de naissance,Adresse,Code postal,Ville,"
    "Bloqué RDV en ligne,Notes,Créé le"
)
CSV_HEADER = _columns(
    "id,email,first_name,last_name,phone,birth_date,gender,status,groups,guardian,created,"
    "replaced_by,notes"
)


def write_csv(state: ClubState, folder: Path, *, mtime: datetime | None = None) -> list[Path]:
    """`customers.csv` (UTF-8, comma), `customers.csv.rows` and `groups.csv`.

    :param mtime: modification time of the files, if the time is simulated; default: now.
    """
    today = state.at.date()
    rows = [
        (
            p.number,
            p.email,
            p.first_name,
            p.last_name,
            p.phone,
            p.birth_date,
            p.gender,
            p.status,
            "|".join(dict.fromkeys(m.product_id for m in p.memberships if _covers(m, today))),
            p.guardian,
            p.created_at.isoformat(),
            p.replaced_by,
            "paid in cash" if p.number % 5 == 0 else None,
        )
        for p in state.people
    ]
    groups = [(p.id, p.name, "true" if p.active else "false") for p in state.products]
    written = _put(folder / "groups.csv", _text(("id", "name", "active"), groups, ","), mtime)
    customers = folder / "customers.csv"
    # The row count first: a reader who comes between the two files sees a mismatch, and retries.
    written += _put(folder / "customers.csv.rows", f"{len(rows)}\n".encode(), mtime)
    return written + _put(customers, _text(CSV_HEADER, rows, ","), mtime)


def write_eversports(
    state: ClubState,
    folder: Path,
    *,
    excel: bool = False,
    oddities: bool = True,
    mtime: datetime | None = None,
) -> list[Path]:
    """`customers.csv` or `.xlsx`, and `memberships.csv` or `.xlsx` with current and future memberships.

    Archived and merged records are absent, as in a default export.

    :param oddities: keep every second merged record as "(old)", and add a "Customer Deleted".
    """
    names = {p.id: p.name for p in state.products}
    rows: list[tuple[object, ...]] = []
    for p in state.people:
        merged = p.replaced_by is not None
        if merged and not (oddities and p.number % 2 == 0):
            continue
        if p.status == "archived" and not merged:
            continue
        rows.append(
            (
                p.number,
                p.first_name,
                f"{p.last_name} (old)" if merged else p.last_name,
                p.email,
                None,
                p.phone,
                _german(p.birth_date),
                "Musterstraße 1",
                "10115",
                "Berlin",
                None,
                "Former members" if p.status == "former" else "Members",
                ("Added", "Invited", "Accepted")[p.number % 3],
                "pays by SEPA" if p.number % 4 == 0 else None,
                f"{p.created_at:%d.%m.%Y %H:%M}",
                None,
                None,
                p.guardian,
                "Person",
            )
        )
    if oddities:
        blank = [None] * (len(EVERSPORTS_HEADER) - 2)
        rows.append((900000, "Customer Deleted", *blank))
        rows[-1] = (*rows[-1][:11], "External", "Added", *rows[-1][13:])
    held = [
        line for p in state.people if p.replaced_by is None for line in _held(p, names, state.at)
    ]
    if excel:
        return _put_excel(
            folder / "memberships.xlsx", MEMBERSHIPS_HEADER, held, mtime
        ) + _put_excel(folder / "customers.xlsx", EVERSPORTS_HEADER, rows, mtime)
    return _put(folder / "memberships.csv", _text(MEMBERSHIPS_HEADER, held, ";"), mtime) + _put(
        folder / "customers.csv", _text(EVERSPORTS_HEADER, rows, ";"), mtime
    )


def write_planity(
    state: ClubState, folder: Path, *, encoding: str = "cp1252", mtime: datetime | None = None
) -> list[Path]:
    """`clients.csv`: semicolons, French dates and phones; six people in ten have no email.

    :param encoding: `cp1252` or `utf-8-sig`.
    """
    rows = [
        (
            p.last_name,
            p.first_name,
            _french_phone(p.phone),
            p.email if p.number % 10 < 4 else None,
            {"female": "Femme", "male": "Homme", None: None}[p.gender],
            f"{p.birth_date:%d/%m/%Y}" if p.birth_date else None,
            "1 rue de l'Exemple",
            "75011",
            "Paris",
            "Oui" if p.number % 50 == 0 else "Non",
            "préfère le samedi" if p.number % 6 == 0 else None,
            f"{p.created_at:%d/%m/%Y}",
        )
        for p in state.people
        if p.status != "archived"
    ]
    return _put(folder / "clients.csv", _text(PLANITY_HEADER, rows, ";", encoding), mtime)


# cells -----------------------------------------------------------------------------------------


def _covers(m: Membership, day: date) -> bool:
    return m.start <= day and (m.end is None or m.end >= day)


def _german(day: date | None) -> str | None:
    return f"{day:%d.%m.%Y}" if day else None


def _french_phone(phone: str | None) -> str | None:
    if phone is None or not phone.startswith("+33"):
        return phone
    digits = "0" + phone[3:]
    return " ".join(digits[i : i + 2] for i in range(0, len(digits), 2))


def _held(p: Person, names: dict[str, str], at: datetime) -> Iterable[tuple[object, ...]]:
    """Rows of the list of active memberships: one per product, with its last pause."""
    today = at.astimezone(UTC).date()
    by_product: dict[str, list[Membership]] = {}
    for m in p.memberships:
        by_product.setdefault(m.product_id, []).append(m)
    for product, spans in by_product.items():
        spans = sorted(spans, key=lambda m: m.start)
        start, end = spans[0].start, spans[-1].end
        if end is not None and end < today:
            continue
        pause = ""
        for a, b in pairwise(spans):
            if a.end is not None and b.start > a.end + timedelta(days=1):
                pause = (
                    f"{_german(a.end + timedelta(days=1))} - {_german(b.start - timedelta(days=1))}"
                )
                # The list shows one pause only, so the validity starts after the previous one.
                start = a.start
        mark = " (!)" if pause else ""
        yield (
            p.number,
            f"{p.first_name} {p.last_name}",
            names[product],
            f"{_german(start)} - {_german(end) or ''}{mark}",
            None,
            "no" if end else "yes",
            "monthly",
            "SEPA",
            pause or None,
        )


# files -----------------------------------------------------------------------------------------


def _text(
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    delimiter: str,
    encoding: str = "utf-8",
) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode(encoding, "replace")


def _put(path: Path, data: bytes, mtime: datetime | None) -> list[Path]:
    """Write the file, unless it has this content already."""
    if path.exists() and path.read_bytes() == data:
        return []
    files.put(path, data, mtime=mtime)
    return [path]


def _put_excel(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], mtime: datetime | None
) -> list[Path]:
    # The bytes of a workbook contain its creation time, so a digest of the content is compared instead.
    digest = hashlib.sha256(repr((list(header), list(rows))).encode()).hexdigest()
    if _is_whole(path, digest):
        return []
    book = Workbook(write_only=True)
    book.properties.identifier = digest
    sheet = book.create_sheet("Export")
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return _put(path, out.getvalue(), mtime)


def _is_whole(path: Path, digest: str) -> bool:
    """Whether the file is an undamaged workbook with this digest; anything else is to be written again."""
    try:
        with zipfile.ZipFile(path) as book:
            return book.testzip() is None and digest.encode() in book.read("docProps/core.xml")
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return False
