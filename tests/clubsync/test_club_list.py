"""R22: the list that a club works with: its own columns, values and ways of writing, and no key of ours."""

from __future__ import annotations

import csv
import html
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from clubsync.explain import habits
from clubsync.explain.export import write_csv, write_xlsx
from tests.support.club import Club
from tests.support.file_club import FileClub
from tests.support.rules import club, files, new_club, new_file_club, shared_base

__all__ = ["club", "files", "new_club", "new_file_club", "shared_base"]

#: An id as we make them for records of a source without any (R1).
KEY = re.compile(r"~(row-)?[0-9a-f]{8,}|@\d+:")
EXPORT = (
    "id;Notes;email;first;last;phone;born;status;groups;from;until\n"
    "0017;VIP;=cmd|' /C calc'!A0;Zoé;D'Été;06 12 34 56 78;07/03/1990;active;Gold|Été;01/09/2025;31/08/2030\n"
    "18;;pas une adresse;＝1+1;Durand;+34 612 34 56 78;;active;Gold;;\n"
    "19;;ok@x.fr;Ana;Petit;;;active;Gold;;\n"
)


def written(club: Club, path: Path, *, workbook: bool = False) -> Path:
    with club._base.club(club.number) as driver:
        (write_xlsx if workbook else write_csv)(path, driver, club.number, club.config)
    return path


def opened(path: Path) -> Worksheet:
    sheet = load_workbook(path).active
    assert isinstance(sheet, Worksheet)
    return sheet


def table(path: Path, delimiter: str) -> list[dict[str, str]]:
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf"), "French Excel reads UTF-8 by this alone"
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), delimiter=delimiter))


@pytest.fixture
def french(new_file_club: Callable[..., FileClub]) -> FileClub:
    """A French club that exports files with ids."""
    fields = ("id", "email", "first_name", "last_name", "phone", "birth_date", "status", "groups")
    club = new_file_club(*fields, "valid_from", "valid_until")
    club.configure(language="fr")
    club.load(EXPORT)
    return club


def test_the_clubs_own_columns_come_first_and_what_we_do_not_keep_last(
    french: FileClub, tmp_path: Path
) -> None:
    path = written(french, tmp_path / "list.csv")
    heading = path.read_text("utf-8-sig").splitlines()[0]
    own = "id;email;first;last;phone;born;status;groups;from;until"
    assert heading == f"{own};Depuis;Code;error;Notes"
    rows = table(path, ";")
    assert [row["id"] for row in rows] == ["0017", "18"], "by name"
    assert all(row["Notes"] == "" for row in rows)


def test_values_are_written_as_the_club_writes_them(french: FileClub, tmp_path: Path) -> None:
    zoe, other = table(written(french, tmp_path / "list.csv"), ";")
    assert (zoe["first"], zoe["last"]) == ("Zoé", "D'Été")
    assert zoe["phone"] == "06 12 34 56 78"
    assert other["phone"] == "+34 612 34 56 78"
    assert (zoe["born"], zoe["from"], zoe["until"]) == ("07/03/1990", "01/09/2025", "31/08/2030")
    assert (zoe["Depuis"], zoe["Code"]) == ("02/03/2026", "EMAIL_INVALID")
    assert "n'est pas valide" in zoe["error"]
    assert zoe["groups"] == "Gold|Été"


def test_no_cell_is_a_formula(french: FileClub, tmp_path: Path) -> None:
    zoe, other = table(written(french, tmp_path / "list.csv"), ";")
    assert zoe["email"] == "'=cmd|' /C calc'!A0"
    assert other["first"] == "'＝1+1"
    path = written(french, tmp_path / "list.xlsx", workbook=True)
    with ZipFile(path) as parts:
        sheets = [parts.read(name) for name in parts.namelist() if "worksheets/" in name]
    assert sheets
    assert not any(b"<f>" in sheet or b"<f " in sheet or b"hyperlink" in sheet for sheet in sheets)
    rows = list(opened(path).iter_rows())
    assert {cell.data_type for row in rows for cell in row} <= {"s", "d", "n"}
    assert [cell.value for cell in rows[1]][:3] == ["0017", "'=cmd|' /C calc'!A0", "Zoé"]


def test_days_of_a_workbook_are_days_and_ids_are_texts(french: FileClub, tmp_path: Path) -> None:
    sheet = opened(written(french, tmp_path / "list.xlsx", workbook=True))
    columns = {cell.value: place for place, cell in enumerate(sheet[1])}
    zoe = sheet[2]
    assert (zoe[columns["id"]].value, zoe[columns["id"]].data_type) == ("0017", "s")
    assert zoe[columns["born"]].value == datetime(1990, 3, 7)
    assert zoe[columns["Depuis"]].value == datetime(2026, 3, 2)
    assert (sheet.title, sheet.freeze_panes) == ("À corriger", "A2")


def test_a_club_without_ids_never_sees_a_key_of_ours(
    new_file_club: Callable[..., FileClub], tmp_path: Path
) -> None:
    """Also where a sentence names the other record: it is called by its name."""
    club = new_file_club("email", "first_name", "last_name", "phone", "birth_date")
    club.load(
        "email;first;last;phone;born\n"
        "ana@x.fr;Ana;Petit;0612345678;1990-03-07\n"
        "ana@x.fr;Zoé;Grand;0612345679;1991-03-07\n"
        ";Léa;Sansadresse;0612345670;\n"
    )
    ids = [i for (i,) in club.rows("select erp_id from sync.finding where club = %s", club.number)]
    assert any(KEY.match(i) for i in ids)
    path = written(club, tmp_path / "list.csv")
    text = path.read_text("utf-8-sig")
    assert not KEY.search(text)
    rows = {row["last"]: row for row in table(path, ";")}
    assert "also Zoé Grand" in rows["Petit"]["error"]
    book = opened(written(club, tmp_path / "list.xlsx", workbook=True))
    cells = " ".join(str(cell.value) for row in book.iter_rows() for cell in row)
    assert "Sansadresse" in cells
    assert not KEY.search(cells)


def test_a_row_without_an_id_shows_none(
    new_file_club: Callable[..., FileClub], tmp_path: Path
) -> None:
    """Nor the number that stands for its status."""
    club = new_file_club("id", "email", "last_name", "status")
    club.load("id;email;last;status\n1;a@x.fr;Petit;active\n;b@x.fr;Grand;active\n")
    (row,) = table(written(club, tmp_path / "list.csv"), ";")
    assert (row["id"], row["last"], row["status"]) == ("", "Grand", "")
    assert "Row 3" in row["error"] or "Row 2" in row["error"]


def test_an_api_has_the_usual_columns_in_the_clubs_language(club: Club, tmp_path: Path) -> None:
    """Not the keys of its JSON."""
    club.configure(language="fr")
    club.erp.group("7", name="Gold", active=False)
    club.erp.put("1", None, first_name="Ana", last_name="Petit", groups=["7"])
    club.sync()
    (row,) = table(written(club, tmp_path / "list.csv"), ";")
    assert list(row)[:7] == [
        *("Identifiant", "Nom", "E-mail", "Téléphone", "Date de naissance", "Statut", "Groupes")
    ]
    assert (row["Identifiant"], row["Nom"], row["Groupes"]) == ("1", "Ana Petit", "Gold")


def test_own_columns_named_like_ours_stay_their_own(
    new_file_club: Callable[..., FileClub], tmp_path: Path
) -> None:
    club = new_file_club("id", "email")
    club.load("id;email;Since;error\n1;;2020;none\n")
    heading = written(club, tmp_path / "list.csv").read_text("utf-8-sig").splitlines()[0]
    assert heading == "id;email;Since (clubsync);Code;error (clubsync);Since;error"


@pytest.mark.parametrize(
    ("country", "language", "delimiter", "day"),
    [
        ("FR", "fr", ";", "07/03/1990"),
        ("FR", "en", ";", "07/03/1990"),
        ("DE", "en", ";", "07.03.1990"),
        ("CH", "fr", ";", "07.03.1990"),
        ("GB", "en", ",", "07/03/1990"),
        ("US", "en", ",", "3/7/1990"),
        ("CA", "fr", ";", "1990-03-07"),
        ("CA", "en", ",", "1990-03-07"),
        ("ES", "fr", ";", "7/3/1990"),
    ],
)
def test_each_country_has_its_delimiter_and_its_days(
    club: Club, country: str, language: str, delimiter: str, day: str
) -> None:
    club.configure(country=country, language=language)
    how = habits.of_club(club.config)
    assert (how.delimiter, how.day(date(1990, 3, 7))) == (delimiter, day)


def test_the_clubs_own_date_format_is_kept(files: FileClub, tmp_path: Path) -> None:
    files.files["date_format"] = "%d-%m-%Y"
    files.load("id;email;first;last;status;groups\n1;;Ana;Petit;active;\n")
    (row,) = table(written(files, tmp_path / "list.csv"), ";")
    assert row["Since"] == "02-03-2026"


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_spreadsheet_opens_it_in_columns(french: FileClub, tmp_path: Path, ending: str) -> None:
    """LibreOffice in French, with the delimiter of French Excel: columns, days, and no formula."""
    path = written(french, tmp_path / f"list.{ending}", workbook=ending == "xlsx")
    asked = ["--infilter=CSV:59,34,76,1,,1036,false,true"] if ending == "csv" else []
    home = f"-env:UserInstallation={(tmp_path / 'office').as_uri()}"
    subprocess.run(
        ["soffice", home, "--headless", *asked, "--convert-to", "fods", "--outdir", tmp_path, path],
        check=True,
        capture_output=True,
        timeout=120,
        env={"LANG": "fr_FR.UTF-8", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    shown = (tmp_path / "list.fods").read_text("utf-8")
    assert "table:formula" not in shown
    assert 'office:date-value="1990-03-07"' in shown
    assert 'office:date-value="2026-03-02"' in shown
    cells = [html.unescape(c) for c in re.findall(r"<text:p>([^<]*)</text:p>", shown)]
    assert {"Zoé", "D'Été", "06 12 34 56 78", "EMAIL_INVALID"} <= set(cells)
    assert any(cell.startswith("L'adresse") or "n'est pas valide" in cell for cell in cells)
