"""The `csv` connector: any export by settings alone (docs/erps/csv.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from openpyxl import Workbook
from pydantic import ValidationError

from connectors.csv import CsvSettings
from connectors.sdk.base import Club
from connectors.sdk.errors import ContractChanged, FileBroken, FileMissing
from connectors.sdk.model import CUSTOMER_SCHEMA, GROUP_SCHEMA, Reading
from tests.support.drops import PARIS, connector, people, put
from tests.support.workbooks import workbook

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

FIELDS = {
    "id": "Nr",
    "email": "Mail",
    "first_name": "First",
    "last_name": "Last",
    "phone": "Tel",
    "birth_date": "Born",
    "status": "State",
    "groups": "Groups",
    "guardian_id": "Parent",
    "created_at": "Since",
    "replaced_by": "Merged into",
}
HEADER = "Nr;Mail;First;Last;Tel;Born;State;Groups;Parent;Since;Merged into;IBAN"
ANA = "7; Ana@X.org ;Ana;Ruiz;06 12 34 56 78;02/01/1990;active;g1|g2;;2026-01-01T08:00:00Z;;FR76"


def read(folder: Path, **settings: object) -> Reading:
    return connector(
        "csv", folder, {"customers": "customers.csv", "fields": FIELDS, **settings}
    ).read()


def rows(folder: Path, *lines: str, at: datetime | None = None, rows: int | None = None) -> None:
    put(folder, "customers.csv", "\n".join((HEADER, *lines)) + "\n", at=at, rows=rows)


def statuses(folder: Path, *words: str, **settings: object) -> list[tuple[str, str | None]]:
    """(status, status_raw) of people with these words in the status column."""
    put(
        folder,
        "customers.csv",
        "id;state;x\n" + "".join(f"{n};{w};\n" for n, w in enumerate(words)),
    )
    config = {"customers": "customers.csv", "fields": {"id": "id", "status": "state"}, **settings}
    return connector("csv", folder, config).read().customers.select("status", "status_raw").rows()


def test_a_row_becomes_a_customer(tmp_path: Path) -> None:
    rows(tmp_path, ANA, at=NOON, rows=1)
    reading = read(tmp_path)
    assert reading.customers.schema == CUSTOMER_SCHEMA
    assert reading.groups.schema == GROUP_SCHEMA
    assert people(reading)["7"] == {
        "erp_id": "7",
        "email": "Ana@X.org",
        "first_name": "Ana",
        "last_name": "Ruiz",
        "phone": "+33612345678",
        "birth_date": date(1990, 1, 2),
        "gender": None,
        "country": None,
        "status": "active",
        "status_raw": None,
        "groups": [
            {"id": "g1", "valid_from": None, "valid_until": None},
            {"id": "g2", "valid_from": None, "valid_until": None},
        ],
        "valid_from": None,
        "valid_until": None,
        "guardian_id": None,
        "replaced_by": None,
        "created_at": datetime(2026, 1, 1, 8, tzinfo=UTC),
        "modified_at": None,
        "is_company": False,
        "placeholder": False,
        "unreadable": [],
    }
    assert reading.as_of == NOON
    assert reading.certificate.complete
    assert (reading.certificate.rows, reading.certificate.total) == (1, 1)


def test_columns_that_no_field_names_are_dropped_and_their_names_kept(tmp_path: Path) -> None:
    """R19 at the door, R22 for the export with all of the ERP's own columns."""
    rows(tmp_path, ANA)
    reading = read(tmp_path)
    assert "FR76" not in str(reading.customers.rows())
    assert reading.columns == tuple(HEADER.split(";"))
    assert reading.column_of["email"] == "Mail"
    assert reading.column_of["erp_id"] == "Nr"


def test_status_words(tmp_path: Path) -> None:
    """R3: configured words are active; blank, and a word in none of the lists, is unknown."""
    said = statuses(tmp_path, "In", " iN ", "out", "", active_status=["in"])
    assert said == [("active", None), ("active", None), ("unknown", "out"), ("unknown", None)]


def test_any_other_word_is_inactive_where_the_settings_state_it(tmp_path: Path) -> None:
    """R3: " `other_status: inactive` stated on purpose"; blank is no word."""
    said = statuses(tmp_path, "in", "out", "", active_status=["in"], other_status="inactive")
    assert said == [("active", None), ("former", None), ("unknown", None)]


def test_a_word_counts_as_the_settings_say_not_as_usual(tmp_path: Path) -> None:
    said = statuses(
        tmp_path,
        *("Archived", "active", "Client", "expired"),
        active_status=["archived"],
        inactive_status=["client"],
    )
    assert [s for s, _ in said] == ["active", "unknown", "former", "unknown"]
    said = statuses(tmp_path, "Client", "expired", inactive_status=["client"])
    assert [s for s, _ in said] == ["former", "unknown"]


def test_a_word_in_two_lists_is_refused() -> None:
    with pytest.raises(ValidationError, match="in two lists of status words: in"):
        CsvSettings.model_validate(
            {"customers": "*", "fields": {}, "active_status": ["In"], "paused_status": [" in"]}
        )


@pytest.mark.parametrize(
    ("listed", "cell"),
    [
        ("Activé", "Active\u0301"),
        ("En cours", "En\u00a0cours"),
        ("En cours", "en  cours"),
        ("En\u00a0cours", "en cours"),
        ("En cours", "En\u00ad cours"),
    ],
)
def test_status_words_are_compared_in_one_form(tmp_path: Path, listed: str, cell: str) -> None:
    """R3: "NFKC, format characters removed, white space runs as one blank, case-folded"."""
    assert statuses(tmp_path, cell, active_status=[listed]) == [("active", None)]
    assert statuses(tmp_path, cell, inactive_status=[listed]) == [("former", None)]


def test_with_inactive_words_any_other_word_is_unknown_and_kept(tmp_path: Path) -> None:
    said = statuses(
        tmp_path,
        *("in", "out", "hmm", "break"),
        active_status=["in"],
        inactive_status=["out"],
        paused_status=["break"],
    )
    assert said == [("active", None), ("former", None), ("unknown", "hmm"), ("paused", None)]


def test_without_active_words_the_common_ones_count(tmp_path: Path) -> None:
    said = statuses(tmp_path, "Actif", "1", "TRUE", "oui", "résilié")
    assert [s for s, _ in said] == ["active", "active", "active", "active", "former"]


def test_words_that_yaml_takes_for_yes_and_numbers_are_words(tmp_path: Path) -> None:
    said = statuses(tmp_path, "yes", "1", "no", active_status=[True, 1])
    assert [s for s, _ in said] == ["active", "active", "former"]


def test_without_a_status_field_everybody_in_the_file_is_active(tmp_path: Path) -> None:
    put(tmp_path, "customers.csv", "id\n1\n2\n")
    reading = connector("csv", tmp_path, {"customers": "*.csv", "fields": {"id": "id"}}).read()
    assert reading.customers["status"].to_list() == ["active", "active"]


def test_without_a_groups_file_groups_are_those_that_rows_name(tmp_path: Path) -> None:
    rows(tmp_path, ANA, "8;;Bo;Li;;;active;g2, g3;;;;", "9;;Cy;Lo;;;active;;;;;")
    reading = read(tmp_path)
    assert reading.groups.rows() == [("g1", "g1", True), ("g2", "g2", True), ("g3", "g3", True)]
    assert [g["id"] for g in people(reading)["8"]["groups"]] == ["g2", "g3"]
    assert people(reading)["9"]["groups"] == []


def test_a_named_separator_is_the_only_one(tmp_path: Path) -> None:
    rows(tmp_path, "8;;Bo;Li;;;active;Yoga, débutant|Gold;;;;")
    reading = read(tmp_path, fields={**FIELDS, "group_separator": "|"})
    assert [g["id"] for g in people(reading)["8"]["groups"]] == ["Yoga, débutant", "Gold"]


def test_a_groups_file_lists_ids_names_and_whether_they_are_active(tmp_path: Path) -> None:
    rows(tmp_path, ANA, "8;;Bo;Li;;;active;a,b|g9;;;;")
    put(tmp_path, "groups.csv", "id;name;active\ng1;Gold;oui\ng2;Silver;non\na,b;Both;\n")
    reading = read(
        tmp_path, groups={"file": "groups.csv"}, fields={**FIELDS, "group_separator": "|"}
    )
    assert reading.groups.rows() == [
        ("g1", "Gold", True),
        ("g2", "Silver", False),
        ("a,b", "Both", None),
    ]
    # What the list does not have is kept: the engine says GROUP_UNKNOWN.
    assert [g["id"] for g in people(reading)["8"]["groups"]] == ["a,b", "g9"]


def test_the_groups_file_is_never_taken_for_the_customers(tmp_path: Path) -> None:
    """Both match *.csv, and the groups are newer."""
    rows(tmp_path, ANA, at=NOON)
    put(tmp_path, "groups.csv", "id;name\ng1;Gold\n")
    reading = read(tmp_path, customers="*.csv", groups={"file": "groups*.csv"})
    assert list(people(reading)) == ["7"]
    assert reading.as_of == NOON


def test_a_cell_that_is_a_listed_id_is_not_split(tmp_path: Path) -> None:
    rows(tmp_path, "8;;Bo;Li;;;active;a,b;;;;")
    put(tmp_path, "groups.csv", "id;name\na,b;Both\n")
    reading = read(tmp_path, groups={"file": "groups.csv"})
    assert [g["id"] for g in people(reading)["8"]["groups"]] == ["a,b"]
    assert reading.groups["active"].to_list() == [None]


def test_own_words_for_active_groups(tmp_path: Path) -> None:
    rows(tmp_path, ANA)
    put(tmp_path, "groups.csv", "code;title;sold\ng1;Gold;open\ng2;Silver;closed\n")
    groups = {"file": "groups.csv", "id": "code", "name": "title", "active": "sold"}
    reading = read(tmp_path, groups={**groups, "active_values": ["open"]})
    assert reading.groups.rows() == [("g1", "Gold", True), ("g2", "Silver", False)]


def test_a_group_word_in_neither_list_is_unknown(tmp_path: Path) -> None:
    """R3: a group word that is in none of the lists changes nothing."""
    rows(tmp_path, ANA)
    lines = "g1;Gold;Oui\ng2;Silver;à venir\ng3;Old;Archive\u0301\ng4;Off;0\n"
    put(tmp_path, "groups.csv", "id;name;active\n" + lines)
    reading = read(tmp_path, groups={"file": "groups.csv"})
    assert reading.groups["active"].to_list() == [True, None, False, False]
    groups = {"file": "groups.csv", "inactive_values": ["à  venir"]}
    assert read(tmp_path, groups=groups).groups["active"].to_list() == [True, False, None, None]


def test_a_cell_names_listed_groups_in_any_spelling(tmp_path: Path) -> None:
    rows(tmp_path, "8;;Bo;Li;;;active;GOLD\u00a0 plus|g1;;;;")
    put(tmp_path, "groups.csv", "id;name\nGold plus;Gold\nG1;Big\ng1;Small\n")
    reading = read(tmp_path, groups={"file": "groups.csv"})
    assert [g["id"] for g in people(reading)["8"]["groups"]] == ["Gold plus", "g1"]


def test_spellings_of_one_group_are_one_group(tmp_path: Path) -> None:
    lines = ["Gold", "gold\u00a0", "GOLD, Silver", "Gold"]
    rows(tmp_path, *(f"{n};;Bo;Li;;;active;{cell};;;;" for n, cell in enumerate(lines)))
    reading = read(tmp_path)
    assert reading.groups["id"].to_list() == ["Gold", "Silver"]
    assert [g["id"] for g in people(reading)["2"]["groups"]] == ["Gold", "Silver"]


def test_a_group_that_the_club_names_is_never_split(tmp_path: Path) -> None:
    """R3: a former group with a comma in its name, in a column without a configured separator."""
    rows(
        tmp_path,
        "8;;Bo;Li;;;active;ANCIENS, résiliés;;;;",
        "9;;Cy;Lo;;;active;Gold, Anciens,  résiliés;;;;",
    )
    club = replace(PARIS, group_names=("Anciens, résiliés",))
    settings = {"customers": "customers.csv", "fields": FIELDS}
    reading = connector("csv", tmp_path, settings, club=club).read()
    assert [g["id"] for g in people(reading)["8"]["groups"]] == ["ANCIENS, résiliés"]
    assert len(people(reading)["9"]["groups"]) == 2
    assert reading.groups["id"].to_list() == ["ANCIENS, résiliés", "Gold"]


def test_a_missing_groups_file_refuses_the_club(tmp_path: Path) -> None:
    rows(tmp_path, ANA)
    with pytest.raises(FileMissing, match=r"groups\.csv"):
        read(tmp_path, groups={"file": "groups.csv"})


@pytest.mark.parametrize(
    "broken", ["", "id;name;active\ng1;Gold", "<html>", "id;name\ng1;A\ng1;B\n"]
)
def test_a_broken_groups_file_refuses_the_club(tmp_path: Path, broken: str) -> None:
    rows(tmp_path, ANA)
    put(tmp_path, "groups.csv", broken)
    with pytest.raises(FileBroken, match=r"groups\.csv"):
        read(tmp_path, groups={"file": "groups.csv"})


def test_a_cut_groups_file_is_told_by_its_rows(tmp_path: Path) -> None:
    rows(tmp_path, ANA)
    put(tmp_path, "groups.csv", "id;name\ng1;Gold\n", rows=2)
    with pytest.raises(FileBroken, match=r"groups\.csv\.rows says 2"):
        read(tmp_path, groups={"file": "groups.csv"})


def test_a_configured_column_that_is_gone_is_a_changed_contract(tmp_path: Path) -> None:
    rows(tmp_path, ANA)
    with pytest.raises(ContractChanged, match=r"'Geschlecht'.*'Mail'"):
        read(tmp_path, fields={**FIELDS, "gender": "Geschlecht"})


def test_without_an_id_column_there_are_no_ids(tmp_path: Path) -> None:
    """Identity is then found by the engine (R1)."""
    put(tmp_path, "customers.csv", "mail;name\na@x.org;Ana Ruiz\n;Bo Li\n")
    config = {"customers": "customers.csv", "fields": {"email": "mail", "name": "name"}}
    reading = connector("csv", tmp_path, config).read()
    assert reading.customers["erp_id"].to_list() == [None, None]
    assert reading.customers.select("first_name", "last_name").rows() == [
        ("Ana", "Ruiz"),
        ("Bo", "Li"),
    ]
    assert reading.column_of["last_name"] == "name"
    assert reading.certificate.complete


def test_an_id_column_that_is_all_blank_is_not_a_file_without_ids(tmp_path: Path) -> None:
    rows(tmp_path, ANA.replace("7;", ";", 1))
    with pytest.raises(ContractChanged, match="All ids"):
        read(tmp_path)


def test_a_row_without_an_id_is_kept_apart_and_doubts_nothing(tmp_path: Path) -> None:
    """R14: it is known by its row number and email."""
    rows(tmp_path, ANA, ANA.replace("7;", ";", 1), ANA.replace("7;", "8;", 1))
    reading = read(tmp_path)
    assert list(people(reading)) == ["7", "8"]
    assert reading.certificate.complete
    assert reading.without_id is not None
    assert reading.without_id.select("row", "email").rows() == [(3, "Ana@X.org")]


def test_rows_repeated_word_for_word_count_once(tmp_path: Path) -> None:
    """R14: they do no harm; where they differ the record is unknown and nothing is certified."""
    rows(tmp_path, ANA, ANA, rows=2)
    assert read(tmp_path).certificate.complete
    rows(tmp_path, ANA, ANA.replace("Ruiz", "Ruis"), rows=2)
    reading = read(tmp_path)
    assert reading.conflicting_ids == ("7",)
    assert reading.customers.height == 0
    assert not reading.certificate.complete


def test_a_cut_newest_file_fails_although_an_older_one_is_whole(tmp_path: Path) -> None:
    """R14: the older one is not read in its place."""
    put(tmp_path, "customers-1.csv", "id;mail\n1;a@x.org\n", at=datetime(2026, 11, 20, tzinfo=UTC))
    put(tmp_path, "customers-2.csv", "id;mail\n1;a@x.org\n2", at=NOON)
    config = {"customers": "customers-*.csv", "fields": {"id": "id", "email": "mail"}}
    with pytest.raises(FileBroken, match=r"customers-2\.csv is truncated"):
        connector("csv", tmp_path, config).read()


def test_a_header_alone_is_a_reading_of_nobody(tmp_path: Path) -> None:
    """Whether that is an outage is for the engine to say (R14)."""
    rows(tmp_path, rows=0)
    reading = read(tmp_path)
    assert reading.customers.height == 0
    assert reading.certificate.complete


def test_nobody_is_their_own_guardian(tmp_path: Path) -> None:
    rows(tmp_path, ANA.replace("g1|g2;;", "g1|g2;7;"), "8;;Kid;Ruiz;;;active;;7;;7;")
    found = people(read(tmp_path))
    assert found["7"]["guardian_id"] is None
    assert (found["8"]["guardian_id"], found["8"]["replaced_by"]) == ("7", "7")


def test_an_end_that_cannot_be_read_is_not_no_end(tmp_path: Path) -> None:
    """R3: what is unknown changes nothing."""
    put(tmp_path, "customers.csv", "id;until\n1;2026-12-31\n2;\n3;soon\n")
    config = {"customers": "*.csv", "fields": {"id": "id", "valid_until": "until"}}
    found = people(connector("csv", tmp_path, config).read())
    assert (found["1"]["status"], found["1"]["valid_until"]) == ("active", date(2026, 12, 31))
    assert (found["2"]["status"], found["2"]["valid_until"]) == ("active", None)
    assert (found["3"]["status"], found["3"]["status_raw"]) == ("active", None)
    assert found["3"]["unreadable"] == [{"field": "valid_until", "word": "soon", "group": None}]


def test_a_given_date_format(tmp_path: Path) -> None:
    put(tmp_path, "customers.csv", "id;born\n1;12/31/1990\n")
    config = {"customers": "*.csv", "fields": {"id": "id", "birth_date": "born"}}
    reading = connector("csv", tmp_path, {**config, "date_format": "%m/%d/%Y"}).read()
    assert people(reading)["1"]["birth_date"] == date(1990, 12, 31)


def test_an_excel_export_is_read_like_text(tmp_path: Path) -> None:
    born = date(1990, 12, 31)
    put(tmp_path, "customers.xlsx", workbook(["id", "mail", "born"], [1001, "a@x.org", born]))
    config = {
        "customers": "customers*",
        "fields": {"id": "id", "email": "mail", "birth_date": "born"},
    }
    assert people(connector("csv", tmp_path, config).read())["1001"]["birth_date"] == date(
        1990, 12, 31
    )


def test_check_reads_nothing_and_says_what_is_there(tmp_path: Path) -> None:
    put(tmp_path, "customers.csv", "<html>", at=NOON)
    config = {"customers": "customers.csv", "fields": {"id": "id"}}
    assert (
        connector("csv", tmp_path, config)
        .check()
        .startswith("1 file customers.csv of 2026-11-21 12:00")
    )
    with pytest.raises(FileMissing):
        connector("csv", tmp_path, {**config, "groups": {"file": "groups.csv"}}).check()


@pytest.mark.parametrize(
    "wrong",
    [
        {"customers": "x.csv"},
        {"customers": "", "fields": {}},
        {"customers": "x.csv", "fields": {"e-mail": "Mail"}},
        {"customers": "x.csv", "fields": {}, "delimiter": ";;"},
        {"customers": "x.csv", "fields": {}, "groups": {"id": "id"}},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CsvSettings.model_validate(wrong)


# What cannot be read (R3) ------------------------------------------------------------------------

ODD_FIELDS = {
    "id": "id",
    "email": "mail",
    "first_name": "first",
    "phone": "phone",
    "birth_date": "born",
    "status": "status",
    "groups": "group",
    "valid_until": "until",
    "guardian_id": "guardian",
}
ODD_HEADER = "id;mail;first;phone;born;status;group;until;guardian"


@pytest.mark.parametrize(
    "error",
    [
        *("#VALUE!", "#N/A", "#REF!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#NV", "#WERT!"),
        *("#VALEUR!", "#NOM?", "#¡VALOR!", "#¿NOMBRE?", "#N/D", "Err:502", "########"),
        "#NO_RESULT!",
    ],
)
def test_an_error_of_a_spreadsheet_is_never_blank(tmp_path: Path, error: str) -> None:
    """In whatever column and language; nor is it a word, a group or a name."""
    put(
        tmp_path,
        "customers.csv",
        f"{ODD_HEADER}\n1;a@x.fr;Ann;0612345678;1990-01-02;active;Gold;2026-12-31;\n"
        + ";".join(["2", *[error] * 8])
        + "\n",
    )
    config = {"customers": "*.csv", "fields": ODD_FIELDS, "other_status": "inactive"}
    reading = connector("csv", tmp_path, config).read()
    odd = people(reading)["2"]
    assert (odd["status"], odd["status_raw"]) == ("unknown", error)
    named = {note["field"] for note in odd["unreadable"]}
    assert named == {
        *("email", "first_name", "phone", "birth_date", "groups", "valid_until", "guardian_id")
    }
    assert (odd["email"], odd["groups"], odd["valid_until"]) == (None, [], None)
    assert reading.groups["id"].to_list() == ["Gold"]
    assert people(reading)["1"]["unreadable"] == []


@pytest.mark.parametrize(
    "word", ["NULL", "null", "N/A", "n/a", "-", "--", "\\N", "(null)", "None", "nan", ""]
)
def test_words_for_no_value_are_blank(tmp_path: Path, word: str) -> None:
    put(
        tmp_path, "customers.csv", f"{ODD_HEADER}\n1;;;;;active;;;\n" + ";".join(["2", *[word] * 8])
    )
    config = {"customers": "*.csv", "fields": ODD_FIELDS, "other_status": "inactive"}
    found = people(connector("csv", tmp_path, config).read())
    one, two = found["1"], found["2"]
    assert two["status"] == "unknown"
    for name in (
        "email",
        "first_name",
        "phone",
        "birth_date",
        "groups",
        "valid_until",
        "unreadable",
    ):
        assert two[name] == one[name], name


@pytest.mark.parametrize("id", ["#REF!", "1,23E+12", "1.23E+12", "########", "NULL", "-", ""])
def test_a_row_whose_id_cannot_be_read_has_none(tmp_path: Path, id: str) -> None:
    put(tmp_path, "customers.csv", f"id;mail\n1;a@x.fr\n{id};b@x.fr\n")
    reading = connector(
        "csv", tmp_path, {"customers": "*.csv", "fields": {"id": "id", "email": "mail"}}
    ).read()
    assert reading.customers["erp_id"].to_list() == ["1"]
    assert reading.without_id is not None
    assert reading.without_id["email"].to_list() == ["b@x.fr"]


def test_ids_that_became_decimals_are_whole_again(tmp_path: Path) -> None:
    put(tmp_path, "customers.csv", "id;guardian\n12.0;\n7.0;12.0\n")
    config = {"customers": "*.csv", "fields": {"id": "id", "guardian_id": "guardian"}}
    found = people(connector("csv", tmp_path, config).read())
    assert found["7"]["guardian_id"] == "12"


def test_a_workbooks_errors_and_formulas_without_a_result(tmp_path: Path) -> None:
    """A program that does not calculate writes formulas without their results: they are not blank."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["B2"], sheet["C2"], sheet["D2"] = "id", "mail", "until"
    sheet["B3"], sheet["C3"], sheet["D3"] = 1, "a@x.fr", date(2026, 12, 31)
    sheet["B4"], sheet["C4"], sheet["D4"] = 2, "b@x.fr", "=A1+1"
    sheet["B5"], sheet["C5"], sheet["D5"] = 3, "c@x.fr", "#VALUE!"
    sheet["B6"] = 4
    sheet["B7"] = "=B6+1"
    book.save(tmp_path / "customers.xlsx")
    fields = {"id": "id", "email": "mail", "valid_until": "until"}
    reading = connector("csv", tmp_path, {"customers": "*.xlsx", "fields": fields}).read()
    odd = {key: [n["word"] for n in row["unreadable"]] for key, row in people(reading).items()}
    assert odd == {"1": [], "2": ["#NO_RESULT!"], "3": ["#VALUE!"], "4": []}
    assert people(reading)["1"]["valid_until"] == date(2026, 12, 31)
    assert reading.without_id is not None


def test_no_end_words_of_the_club(tmp_path: Path) -> None:
    put(
        tmp_path,
        "customers.csv",
        "id;until\n1;Illimité\n2;PERMANENT\n3;9999-12-31T23:59:59Z\n4;soon\n",
    )
    config = {"customers": "*.csv", "fields": {"id": "id", "valid_until": "until"}}
    club = Club("gym", ZoneInfo("America/New_York"), "US", no_end=("permanent",))
    found = people(connector("csv", tmp_path, config, club=club).read())
    assert {key for key, row in found.items() if row["unreadable"]} == {"4"}
    assert {row["valid_until"] for row in found.values()} == {None}


def test_month_first_dates_are_read_as_one_column(tmp_path: Path) -> None:
    """One cell proves it for its neighbours."""
    put(tmp_path, "customers.csv", "id;until\n1;01/02/2026\n2;11/28/2026\n")
    config = {"customers": "*.csv", "fields": {"id": "id", "valid_until": "until"}}
    found = people(connector("csv", tmp_path, config).read())
    assert found["1"]["valid_until"] == date(2026, 1, 2)


def test_ids_that_a_spreadsheet_takes_for_numbers(tmp_path: Path) -> None:
    """The id of a customer, a guardian and a group are the same, written `12` or `12.0`."""
    rows(tmp_path, ANA.replace("7;", "7.0;", 1).replace("g1|g2", "1.0"), "8;;Bo;Li;;;in;1;7.0;;;")
    put(tmp_path, "groups.csv", "id;name\n1.0;Gold\n;\n;Total\n")
    reading = read(tmp_path, groups={"file": "groups.csv"})
    found = people(reading)
    assert found["8"]["guardian_id"] == "7"
    assert [g["id"] for g in found["7"]["groups"]] == ["1"]
    assert reading.groups["id"].to_list() == ["1"]
    assert reading.certificate.complete
    assert "Rows of groups.csv without an id: 1." in reading.notes


def test_groups_may_be_another_sheet_of_the_same_workbook(tmp_path: Path) -> None:
    book = Workbook()
    first, second = book.active, book.create_sheet("Groupes")
    assert first is not None
    customers: list[list[object]] = [["Clients"], ["Nr", "Groupe"], [1, 7]]
    groups: list[list[object]] = [["id", "name"], [7, "Gold"]]
    for row in customers:
        first.append(row)
    for row in groups:
        second.append(row)
    book.save(tmp_path / "Export.XLSX")
    settings = {
        "customers": "export.xlsx",
        "header_row": 2,
        "fields": {"id": "nr", "groups": "groupe"},
        "groups": {"file": "export.xlsx", "sheet": "groupes"},
    }
    reading = connector("csv", tmp_path, settings).read()
    assert [g["id"] for g in people(reading)["1"]["groups"]] == ["7"]
    assert reading.groups["name"].to_list() == ["Gold"]


def test_the_parts_of_one_export_are_read_as_one(tmp_path: Path) -> None:
    """R14: rows of one person may be in two of them; the reading is as old as the oldest part."""
    head = "Nr;Mail;First;Last;Groups\n"
    put(tmp_path, "c-1.csv", head + "1;a@x.fr;A;A;g1\n2;b@x.fr;B;B;\n", at=NOON, rows=2)
    later = NOON + timedelta(minutes=1)
    put(tmp_path, "c-2.csv", head + "1;a@x.fr;A;A;g2\n", at=later, rows=1)
    fields = {k: FIELDS[k] for k in ("id", "email", "first_name", "last_name", "groups")}
    settings = {"customers": "c-*.csv", "parts": True, "fields": fields}
    reading = connector("csv", tmp_path, settings).read()
    assert [g["id"] for g in people(reading)["1"]["groups"]] == ["g1", "g2"]
    assert (sorted(people(reading)), reading.as_of) == (["1", "2"], NOON)
    assert reading.certificate.complete
    put(tmp_path, "c-2.csv", "Nr;Mail\n3;c@x.fr\n", at=later, rows=1)
    with pytest.raises(ContractChanged, match=r"c-2\.csv has other columns than c-1\.csv"):
        connector("csv", tmp_path, settings).read()


def test_a_reading_says_what_is_known_of_its_file(tmp_path: Path) -> None:
    rows(tmp_path, ANA, rows=1)
    file = read(tmp_path).file
    assert file is not None
    assert (file.name, file.counted, file.line_end, file.footer) == (
        *("customers.csv", True, True),
        False,
    )
    rows(tmp_path, ANA, ";;Total;1;;;;;;;;")
    (tmp_path / "customers.csv.rows").unlink()
    file = read(tmp_path).file
    assert file is not None
    assert (file.counted, file.footer) == (False, True)


@pytest.mark.parametrize("total", ["Total", "Total : 2", "Exporté le 28/11"])
def test_a_total_in_the_column_of_ids_is_no_id(tmp_path: Path, total: str) -> None:
    rows(tmp_path, ANA, ANA.replace("7;", "8;", 1), f"{total};;2;;;;;;;;;")
    reading = read(tmp_path)
    assert reading.without_id is not None
    assert (list(people(reading)), reading.without_id["row"].to_list()) == (["7", "8"], [4])
    assert reading.file is not None
    assert reading.file.footer
    rows(tmp_path, *(ANA.replace("7;", f"{i};", 1) for i in "ab"), "c;;Cid;;;;;;;;;")
    assert list(people(read(tmp_path))) == ["a", "b", "c"]


def test_rows_in_which_no_configured_column_has_anything_are_no_records(tmp_path: Path) -> None:
    """R14: a note in a column that is not read."""
    rows(tmp_path, ANA, ";;;;;;;;;;;a note")
    reading = read(tmp_path)
    assert (reading.certificate.rows, reading.without_id) == (1, None)


def test_of_a_persons_rows_a_day_that_cannot_be_read_is_its_groups(tmp_path: Path) -> None:
    """R14: rows of one id that differ in their group and its days are one person; R3: of each group its own day."""
    rows = "1;a@x.fr;Gold;#N/A\n1;a@x.fr;Silver;2026-12-31\n1;a@x.fr;Pool;9999-12-31\n"
    put(tmp_path, "customers.csv", f"id;mail;group;until\n{rows}")
    fields = {"id": "id", "email": "mail", "groups": "group", "valid_until": "until"}
    reading = connector("csv", tmp_path, {"customers": "*.csv", "fields": fields}).read()
    row = people(reading)["1"]
    assert {g["id"]: g["valid_until"] for g in row["groups"]} == {
        "Gold": None,
        "Silver": date(2026, 12, 31),
        "Pool": None,
    }
    assert row["unreadable"] == [{"field": "valid_until", "word": "#N/A", "group": "Gold"}]
    assert reading.conflicting_ids == ()
