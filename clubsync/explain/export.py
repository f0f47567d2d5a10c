"""R22, R15: findings and lists of holds as files for the club: its own records in its own columns, since when, and why.

The club gets what it knows: values, dates and phones as its ERP and its country write them, and no key of ours.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.explain import habits
from clubsync.i18n import Messages, _, translations
from clubsync.model import THE_CLUB, WITHOUT_ID
from clubsync.store.database import Driver, queries
from clubsync.validate import suites

if TYPE_CHECKING:
    from clubsync.store.queries import (
        ExportColumnsRow,
        RecordsOfHoldRow,
        RecordsWithFindingsRow,
    )

#: Of an ERP without columns that the club sees (an API): what is shown, in the club's language.
_USUAL = {
    "erp_id": _("ID"),
    "name": _("Name"),
    "email": _("Email"),
    "phone": _("Phone"),
    "birth_date": _("Birth date"),
    "status": _("Status"),
    "groups": _("Groups"),
}
_SINCE, _CODE = _("Since"), _("Code")
_WHY = _("Why access would be removed")
#: The column that says what is wrong and what to do; its name is the same in every language (R22).
ERROR = "error"
#: Ids that we made, for records of a source without ids, rows without one, and records of a former ERP (R1, R14).
_OURS = re.compile(r"~(row-)?[0-9a-f]{20}|@\d+:.*", re.DOTALL)
#: What of a finding's detail names other records.
_NAMING = ("others", "owner", "successor")
_WORKBOOK_ROWS, _CELL_LENGTH = 1_048_576, 32_767
_ERROR_WIDTH = 80
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


@dataclass(frozen=True)
class Listing:
    """What a club should fix, or decide, as a table.

    :param headings: of the columns, in order.
    :param rows: a value for each column: text, a date, or None.
    :param records: how many rows are about records, not about the club.
    :param error_at: which column has the sentences: `error`.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str | date | None, ...], ...]
    records: int
    error_at: int


def listing(
    driver: Driver, club_no: int, club: ClubConfig, *, include_all: bool = False
) -> Listing:
    """One row per ERP record with findings, by name, and one for each finding about the club itself.

    The ERP's own columns that clubsync reads come first, in the ERP's order; then since when, the codes and `error`;
    then the ERP's other columns, blank. An API has no columns that a club sees: it gets the usual ones.

    :param driver: inside a transaction of this club.
    :param include_all: closed and informational findings too.
    """
    say = translations(club.language).gettext
    first, blank = _columns(driver, club_no, club)
    taken = {heading for heading, _field in first} | set(blank)
    ours = [
        name if name not in taken else f"{name} (clubsync)"
        for name in (say(_SINCE), say(_CODE), ERROR)
    ]
    found = list(queries().records_with_findings(driver, club=club_no, include_all=include_all))
    people = _people(driver, club_no, found, say(_("another record")))
    rows = [_row(row, [field for _heading, field in first], club, people) for row in found]
    for finding in queries().open_findings_for(driver, club=club_no, erp_id=THE_CLUB):
        error = suites.advice(
            finding["code"], finding["severity"], finding["detail"], club.language
        )
        since = finding["since"].astimezone(club.zone).date()
        rows.append((*(None for _column in first), since, finding["code"], error))
    none = (None,) * len(blank)
    headings = (*(heading for heading, _field in first), *ours, *blank)
    return Listing(headings, tuple((*row, *none) for row in rows), len(found), len(first) + 2)


def of_hold(driver: Driver, club_no: int, club: ClubConfig, *, hold: int, version: int) -> Listing:
    """R15: one row for each person on a list of a hold, by name, with since when and why access would be removed.

    The columns are those of `listing`. Who would only move to another record loses nothing, and is left out.

    :param driver: inside a transaction of this club.
    """
    say, words = translations(club.language).gettext, Messages(club.language, club.zone)
    first, blank = _columns(driver, club_no, club)
    taken = {heading for heading, _field in first} | set(blank)
    ours = [
        name if name not in taken else f"{name} (clubsync)" for name in (say(_SINCE), say(_WHY))
    ]
    found = [
        row
        for row in queries().records_of_hold(driver, club=club_no, hold=hold, version=version)
        if row["loses"]
    ]
    none = (None,) * len(blank)
    rows = []
    for row in found:
        known, since = _known(row, club), row["since"].astimezone(club.zone).date()
        cells = (known.get(field) for _heading, field in first)
        rows.append((*cells, since, words.translate(row["cause"]), *none))
    headings = (*(heading for heading, _field in first), *ours, *blank)
    return Listing(headings, tuple(rows), len(found), len(first) + 1)


def _columns(
    driver: Driver, club_no: int, club: ClubConfig
) -> tuple[list[tuple[str, str]], list[str]]:
    """The columns that a club knows its records by, each with our field; and those of its own that stay blank."""
    layout = queries().export_columns(driver, club=club_no)
    if layout is not None and _reads_files(club):
        return _own(layout)
    say = translations(club.language).gettext
    return [(say(heading), field) for field, heading in _USUAL.items()], []


def write_csv(
    path: Path, driver: Driver, club_no: int, club: ClubConfig, *, include_all: bool = False
) -> int:
    """Write the `listing` as a CSV file that a spreadsheet of the club's country opens in columns.

    UTF-8 with a byte order mark; the delimiter and the dates are those of the country.

    :param driver: inside a transaction of this club.
    :returns: how many records were written.
    """
    return save_csv(path, listing(driver, club_no, club, include_all=include_all), club)


def save_csv(path: Path, table: Listing, club: ClubConfig) -> int:
    """Write a table as a CSV file, see `write_csv`."""
    how = habits.of_club(club)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file, delimiter=how.delimiter)
        writer.writerow(map(safe, table.headings))
        for row in table.rows:
            writer.writerow(safe(how.day(c) if isinstance(c, date) else c) for c in row)
    return table.records


def write_xlsx(
    path: Path, driver: Driver, club_no: int, club: ClubConfig, *, include_all: bool = False
) -> int:
    """Write the `listing` as a workbook, see `save_xlsx`.

    :param driver: inside a transaction of this club.
    :returns: how many records were written.
    :raises ActionRejected: a workbook cannot hold that many rows.
    """
    table = listing(driver, club_no, club, include_all=include_all)
    return save_xlsx(path, table, club, translations(club.language).gettext(_("To fix")))


def save_xlsx(path: Path, table: Listing, club: ClubConfig, title: str) -> int:
    """Write a table as a workbook: texts stay texts, ids with leading zeros too, and days are days.

    No cell is a formula or a link.

    :param title: of the sheet.
    :returns: how many records were written.
    :raises ActionRejected: a workbook cannot hold that many rows.
    """
    from xlsxwriter import Workbook

    how = habits.of_club(club)
    if len(table.rows) >= _WORKBOOK_ROWS:
        raise ActionRejected(
            f"A workbook holds {_WORKBOOK_ROWS:,} rows, and the list of {club.name} has more.",
            remedy="Write a CSV file instead.",
        )
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(str(path), options) as book:
        sheet = book.add_worksheet(title)
        bold, text = (
            book.add_format({"bold": True}),
            book.add_format({"num_format": "@", "valign": "top"}),
        )
        wrapped = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
        # the short date of whoever opens it
        day = book.add_format({"num_format": 14, "valign": "top", "align": "left"})
        for column, heading in enumerate(table.headings):
            sheet.set_column(
                column, column, _ERROR_WIDTH if column == table.error_at else _width(table, column)
            )
            sheet.write_string(0, column, safe(heading)[:_CELL_LENGTH], bold)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.autofilter(0, 0, len(table.rows), len(table.headings) - 1)
        for number, row in enumerate(table.rows, start=1):
            lines = -(-len(str(row[table.error_at] or "")) // (_ERROR_WIDTH - 8))
            sheet.set_row(number, 15 * min(max(lines, 1), 20))
            for column, cell in enumerate(row):
                if isinstance(cell, date) and cell.year >= 1900:
                    sheet.write_datetime(number, column, cell, day)
                elif cell:
                    shown = safe(how.day(cell) if isinstance(cell, date) else cell)
                    form = wrapped if column == table.error_at else text
                    sheet.write_string(number, column, shown[:_CELL_LENGTH], form)
    return table.records


def _width(table: Listing, column: int) -> int:
    """Of a column, in characters; by its first rows."""
    longest = max((len(str(row[column] or "")) for row in table.rows[:200]), default=0)
    return min(max(longest, len(table.headings[column]), 8) + 2, 40)


def _reads_files(club: ClubConfig) -> bool:
    """Whether the ERP's columns are ones that the club sees: those of its own files."""
    from connectors.registry import connector_class
    from connectors.sdk.files.drop import DropConnector

    # of a connector that speaks to an API, too, it names a file
    named = isinstance(club.settings.get("customers"), str)
    return named or issubclass(connector_class(club.erp), DropConnector)


def _own(layout: ExportColumnsRow) -> tuple[list[tuple[str, str]], list[str]]:
    """The ERP's columns that we read, each with our field; and the names of the others."""
    fields: dict[str, str] = {}
    for field, column in layout["column_of"].items():
        # both names from one column: the full name
        both = {fields.get(column), field} == {"first_name", "last_name"}
        fields[column] = "name" if both else "erp_id" if field == "id" else field
    kept = [(column, fields[column]) for column in layout["columns"] if column in fields]
    return kept, [column for column in layout["columns"] if column not in fields]


def _row(
    row: RecordsWithFindingsRow,
    fields: Sequence[str],
    club: ClubConfig,
    people: Mapping[str, str],
) -> tuple[str | date | None, ...]:
    errors = [
        suites.advice(f["code"], f["severity"], _renamed(f["detail"], people), club.language)
        for f in row["findings"]
    ]
    codes = list(dict.fromkeys(f["code"] for f in row["findings"]))
    since = row["since"].astimezone(club.zone).date()
    known = _known(row, club)
    return (*(known.get(field) for field in fields), since, ", ".join(codes), " ".join(errors))


def _known(
    row: RecordsWithFindingsRow | RecordsOfHoldRow, club: ClubConfig
) -> dict[str, str | date | None]:
    """What we keep of a record, as the club writes it."""
    phone, created = row["phone"], row["created_at"]
    fields = club.settings.get("fields")
    own = fields.get("group_separator") if isinstance(fields, Mapping) else None
    separator = str(own or ("|" if _reads_files(club) else ", "))
    known: dict[str, str | date | None] = {
        "erp_id": theirs(row["erp_id"]),
        "guardian_id": theirs(row["guardian_id"]),
        "replaced_by": theirs(row["replaced_by"]),
        "email": row["email"],
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "birth_date": row["birth_date"],
        "valid_from": row["valid_from"],
        "valid_until": row["valid_until"],
        "name": " ".join(filter(None, (row["first_name"], row["last_name"]))),
        "phone": habits.of_club(club).phone(phone) if phone else None,
        # of a row without an id, its number in the file
        "status": None if row["erp_id"].startswith(WITHOUT_ID) else row["status"],
        "groups": separator.join(row["groups"]),
        "created_at": created.astimezone(club.zone).date() if created else None,
    }
    return known


def _is_theirs(erp_id: str) -> bool:
    return _OURS.fullmatch(erp_id) is None


def theirs(erp_id: str | None) -> str | None:
    """An id, if the ERP has it."""
    return erp_id if erp_id is not None and _is_theirs(erp_id) else None


def _people(
    driver: Driver, club_no: int, rows: Sequence[RecordsWithFindingsRow], nobody: str
) -> dict[str, str]:
    """What sentences call the records that have an id of ours: their name, email or phone."""
    ids = {
        erp_id
        for row in rows
        for finding in row["findings"]
        for erp_id in _named(finding["detail"])
        if not _is_theirs(erp_id)
    }
    called = dict.fromkeys(ids, nobody)
    for row in queries().people_called(driver, club=club_no, ids=sorted(ids)) if ids else ():
        name = " ".join(filter(None, (row["first_name"], row["last_name"])))
        called[row["erp_id"]] = name or row["email"] or row["phone"] or nobody
    return called


def _named(detail: Mapping[str, Any]) -> Iterator[str]:
    for key in _NAMING:
        value = detail.get(key)
        yield from (one for one in (value if isinstance(value, list) else [value]) if one)


def _renamed(detail: Mapping[str, Any], people: Mapping[str, str]) -> dict[str, Any]:
    """A finding's detail in which records without an id of the ERP's are called by what the club knows of them."""
    out = dict(detail)
    for key in _NAMING:
        value = detail.get(key)
        if isinstance(value, list):
            out[key] = [people.get(one, one) for one in value]
        elif isinstance(value, str):
            out[key] = people.get(value, value)
    return out
