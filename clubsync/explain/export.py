"""R22: findings as a CSV file for the club: its own records in its own columns, and a column `error`."""

from __future__ import annotations

import csv
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

from clubsync.model import THE_CLUB
from clubsync.store.database import Driver, queries
from clubsync.validate import suites

#: Used if the ERP has no columns of its own (an API).
_OWN_COLUMNS = {
    "erp_id": "erp_id",
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "phone": "phone",
    "status": "status",
    "groups": "groups",
}
#: What spreadsheets treat as the start of a formula, full-width and small forms and the minus sign included.
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
#: What they skip before it: blanks and control characters (`\x00-\x20`, …), and whatever nobody sees.
_SKIPPED = "\x00-\x20\x7f-\xa0\xad\u034f\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
_FORMULA = re.compile(f'[{_SKIPPED}"]*[{_SIGNS}]')
#: After what ends a cell where the file is opened with another delimiter: quotes then protect nothing.
_INNER = re.compile(f'([;\t\r\n])(?=[{_SKIPPED}"]*[{_SIGNS}])')
#: A cell that starts with a tab or CR is one that spreadsheets may treat as a formula.
_CONTROL = ("\t", "\r", "\n")
_PHONE = re.compile(r"\+[0-9][0-9 ().\-]*")


def safe(value: Any) -> str:
    """A cell that no spreadsheet evaluates as a formula, DDE included: an apostrophe precedes what would start one.

    That is = + - @ in all their forms, also behind blanks and invisible characters, and within the cell after a
    semicolon, a tab or a line break. A plain phone number (+33 6 12 34 56 78) stays as it is.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = value.strftime("%Y-%m-%d %H:%M:%S")
    elif isinstance(value, date):
        value = value.isoformat()
    text = str(value)
    if _PHONE.fullmatch(text):
        return text
    starts = text.startswith(_CONTROL) or _FORMULA.match(text)
    return "'" * bool(starts) + _INNER.sub(r"\1'", text)


def write_csv(
    path: Path, driver: Driver, club_no: int, *, include_all: bool = False, language: str = "en"
) -> int:
    """Write one row per ERP record with findings: all of the ERP's own columns, and `error`; then those of the club.

    Columns that are not stored stay blank. UTF-8 with a byte order mark, for spreadsheets.

    :param driver: inside a transaction of this club.
    :returns: how many records were written.
    """
    layout = queries().export_columns(driver, club=club_no)
    columns = list(layout["columns"]) if layout else list(_OWN_COLUMNS.values())
    field_of = _field_of(layout["column_of"]) if layout else {c: f for f, c in _OWN_COLUMNS.items()}
    rows = list(queries().records_with_findings(driver, club=club_no, include_all=include_all))
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow([*(safe(c) for c in columns), "error"])
        for row in rows:
            name = " ".join(filter(None, (row["first_name"], row["last_name"])))
            error = " ".join(
                suites.advice(f["code"], f["severity"], f["detail"], language)
                for f in row["findings"]
            )
            fields: dict[str, Any] = {**row, "name": name}
            cells = [fields.get(field_of.get(column, "")) for column in columns]
            writer.writerow([*(safe(cell) for cell in cells), safe(error)])
        for finding in queries().open_findings_for(driver, club=club_no, erp_id=THE_CLUB):
            error = suites.advice(finding["code"], finding["severity"], finding["detail"], language)
            writer.writerow([*("" for _ in columns), safe(error)])
    return len(rows)


def _field_of(column_of: dict[str, str]) -> dict[str, str]:
    """The ERP's column -> our field; the ERP's id is our `erp_id`."""
    fields = {column: field for field, column in column_of.items()}
    return {column: "erp_id" if field == "id" else field for column, field in fields.items()}
