"""Eversports Manager's export (docs/erps/eversports.md)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from connectors.eversports import Span, periods, without
from connectors.sdk.dates import LONG_AGO, Dates
from connectors.sdk.errors import ContractChanged, SettingsWrong
from connectors.sdk.model import Reading
from tests.support.drops import PARIS, connector, people, put

HEADER = (
    "Customer number;First name;Last name;Email;Phone;Mobile;Birthday;Country;Customer group;Status;Note;"
    "Created;Family owner;Account type"
)
ANNA = "1;Anna;Roth;anna@x.org;;0612345678;01.02.1990;DE;Gold;Accepted;IBAN;01.01.2026;;Person"
MEMBERSHIPS = "Customer number;Membership name;Validity;Termination received;Last pause"


def export(folder: Path, *lines: str, header: str = HEADER) -> None:
    put(folder, "customers.csv", "\n".join((header, *lines)) + "\n")


def memberships(folder: Path, *lines: str) -> None:
    put(folder, "memberships.csv", "\n".join((MEMBERSHIPS, *lines)) + "\n")


def read(folder: Path, **settings: object) -> Reading:
    return connector("eversports", folder, settings).read()


def line(number: int, first: str, last: str, email: str = "", **cells: str) -> str:
    given = {"Customer group": "Gold", "Status": "Added", **cells}
    base = {"Customer number": str(number), "First name": first, "Last name": last, "Email": email}
    return ";".join({**base, **given}.get(column, "") for column in HEADER.split(";"))


def test_an_export_row(tmp_path: Path) -> None:
    export(tmp_path, ANNA)
    reading = read(tmp_path)
    anna = people(reading)["1"]
    assert (anna["email"], anna["phone"], anna["birth_date"]) == (
        "anna@x.org",
        "+33612345678",
        date(1990, 2, 1),
    )
    assert (anna["status"], anna["country"], anna["is_company"]) == ("active", "DE", False)
    assert [g["id"] for g in anna["groups"]] == ["group:Gold"]
    assert reading.groups.rows() == [("group:Gold", "Gold", True)]
    assert "IBAN" not in str(reading.customers.rows())  # R19
    assert reading.column_of["phone"] == "Mobile"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Added", "active"),
        ("invited", "active"),
        ("Accepted", "active"),
        ("Archived", "archived"),
        ("Blocked", "unknown"),
        ("", "unknown"),
    ],
)
def test_states_of_the_invitation(tmp_path: Path, word: str, status: str) -> None:
    """[inf] Whoever is in the export is a customer, whatever became of the invitation."""
    export(tmp_path, line(1, "Anna", "Roth", Status=word))
    assert people(read(tmp_path))["1"]["status"] == status


def test_an_export_without_the_state_holds_current_customers(tmp_path: Path) -> None:
    put(tmp_path, "customers.csv", "Customer number;First name;Last name;Email\n1;A;B;a@x.org\n")
    assert people(read(tmp_path))["1"]["status"] == "active"


@pytest.mark.parametrize("header", ["STATUS", "\u00a0status ", "Sta\u00adtus"])
def test_the_column_of_the_state_in_another_spelling(tmp_path: Path, header: str) -> None:
    """R3: it is that column, not an export without one, in which everybody is a current customer."""
    export(tmp_path, line(1, "A", "B", Status="Archived"), header=HEADER.replace("Status", header))
    reading = read(tmp_path)
    assert people(reading)["1"]["status"] == "archived"
    assert reading.column_of["status"] in reading.columns  # R22: exports find the cell


def test_the_rest_of_a_merge_names_its_successor_by_the_shared_email(tmp_path: Path) -> None:
    """R10: the base customer moves to the record that goes on; "(old)" itself is never a customer."""
    export(tmp_path, ANNA, line(2, "Anna", "Roth (old)", "ANNA@x.org"))
    old = people(read(tmp_path))["2"]
    assert (old["status"], old["replaced_by"], old["placeholder"]) == ("archived", "1", False)


def test_the_rest_of_a_merge_without_a_sure_successor_is_a_placeholder(tmp_path: Path) -> None:
    """A name proves nothing (R1), nor does an e-mail that two others have."""
    export(
        tmp_path,
        ANNA,
        line(2, "Anna", "Roth (old)"),
        line(3, "Bo", "Li (Old)", "bo@x.org"),
        line(4, "Cy", "Lo (old)", "cy@x.org"),
        line(5, "Cy", "Lo", "cy@x.org"),
        line(6, "Cy", "Lo", "cy@x.org"),
        line(7, "Solo (old)", ""),
    )
    found = people(read(tmp_path))
    for number in ("2", "3", "4", "7"):
        record = found[number]
        assert (record["status"], record["replaced_by"], record["placeholder"]) == (
            *("archived", None),
            True,
        ), number
    assert not found["5"]["placeholder"]


def test_old_inside_a_name_means_nothing(tmp_path: Path) -> None:
    export(tmp_path, line(1, "Harold", "(old) Oak"), line(2, "Anna", "Goldold"))
    assert read(tmp_path).customers["status"].to_list() == ["active", "active"]


def test_the_sink_of_erased_people_is_no_person(tmp_path: Path) -> None:
    export(tmp_path, line(9, "Customer Deleted", ""), line(10, "Customer", "deleted"))
    for record in people(read(tmp_path)).values():
        assert (record["status"], record["placeholder"]) == ("deleted", True)


def test_family_members_have_an_owner_and_no_email(tmp_path: Path) -> None:
    """R8: no error; the owner is told by a column that an export may have."""
    export(tmp_path, ANNA, line(2, "Kid", "Roth", **{"Family owner": "1"}))
    kid = people(read(tmp_path))["2"]
    assert (kid["email"], kid["guardian_id"], kid["status"]) == (None, "1", "active")


def test_company_accounts(tmp_path: Path) -> None:
    export(tmp_path, line(1, "ACME", "", "acme@x.org", **{"Account type": "Company"}))
    assert people(read(tmp_path))["1"]["is_company"]


def test_memberships_are_groups_with_days_and_the_pause_is_cut_out(tmp_path: Path) -> None:
    export(tmp_path, ANNA)
    memberships(tmp_path, "1;Year;01.01.2026 - 31.12.2026 (!);01.06.2026;01.07.2026 - 31.07.2026")
    reading = read(tmp_path, memberships="memberships.csv")
    spans = [
        {"valid_from": date(2026, 1, 1), "valid_until": date(2026, 6, 30)},
        {"valid_from": date(2026, 8, 1), "valid_until": date(2026, 12, 31)},
    ]
    year = [{"id": "membership:Year", **span} for span in spans]
    gold = [{"id": "group:Gold", **span} for span in spans]
    held = people(reading)["1"]["groups"]
    assert [g for g in held if g["id"] == "membership:Year"] == year
    # The customer group counts on the days that a membership covers.
    assert [g for g in held if g["id"] == "group:Gold"] == gold
    assert ("membership:Year", "Year", True) in reading.groups.rows()
    assert reading.certificate.complete


def test_without_a_membership_the_customer_group_gives_nothing(tmp_path: Path) -> None:
    export(tmp_path, ANNA)
    memberships(tmp_path, "99;Year;01.01.2026 - 31.12.2026;;")
    (held,) = people(read(tmp_path, memberships="memberships.csv"))["1"]["groups"]
    assert held == {"id": "group:Gold", "valid_from": None, "valid_until": LONG_AGO}


def test_customer_numbers_that_one_file_writes_as_decimals(tmp_path: Path) -> None:
    """A spreadsheet takes them for numbers: it is the same customer (R3)."""
    export(tmp_path, ANNA, line(2, "Bo", "Li"))
    memberships(tmp_path, "1.0;Year;01.01.2026 -;;", "2.0;Year;01.01.2026 -;;")
    found = people(read(tmp_path, memberships="memberships.csv"))
    assert all(len(row["groups"]) == 2 for row in found.values())
    assert {g["valid_until"] for row in found.values() for g in row["groups"]} == {None}


def test_memberships_of_another_club(tmp_path: Path) -> None:
    """R14: everybody would have lost theirs."""
    export(tmp_path, ANNA, line(2, "Bo", "Li"))
    memberships(tmp_path, *(f"M-{n};Year;01.01.2026 -;;" for n in (1, 2, 3)))
    with pytest.raises(ContractChanged, match=r"None of the holders of a membership \(3\)"):
        read(tmp_path, memberships="memberships.csv")


def test_a_membership_without_a_name_is_unknown(tmp_path: Path) -> None:
    """R3: its holder is not somebody without one; a row without a number is told."""
    export(tmp_path, ANNA, line(2, "Bo", "Li"))
    memberships(
        tmp_path, "1;;01.01.2026 -;;", "2;Year;01.01.2026 -;;", ";Year;01.01.2026 -;;", ";;;;"
    )
    reading = read(tmp_path, memberships="memberships.csv")
    one, two = people(reading)["1"], people(reading)["2"]
    assert {note["field"] for note in one["unreadable"]} == {"valid_until"}
    assert two["unreadable"] == []
    assert reading.notes == ("Rows of memberships.csv without a customer number: 1.",)


def test_unless_the_club_lets_customer_groups_count_by_themselves(tmp_path: Path) -> None:
    export(tmp_path, ANNA)
    memberships(tmp_path, "1;Year;01.01.2026 - 31.01.2026;;")
    reading = read(tmp_path, memberships="memberships.csv", memberships_decide=False)
    held = {g["id"]: g["valid_until"] for g in people(reading)["1"]["groups"]}
    assert held == {"group:Gold": None, "membership:Year": date(2026, 1, 31)}


@pytest.mark.parametrize("cells", ["someday;;", ";;", "01.01.2026 - 31.12.2026;;from July"])
def test_of_a_validity_that_cannot_be_read_nobody_knows_whether_it_runs(
    tmp_path: Path, cells: str
) -> None:
    """R3: neither an end nor no end."""
    export(tmp_path, ANNA, line(2, "Bo", "Li"))
    memberships(tmp_path, f"1;Year;{cells}", "2;Year;01.01.2026 -;;")
    found = people(read(tmp_path, memberships="memberships.csv"))
    # the customer group counts on the days of the memberships
    assert {note["group"] for note in found["1"]["unreadable"]} == {"group:Gold", "membership:Year"}
    assert {note["field"] for note in found["1"]["unreadable"]} == {"valid_until"}
    assert found["2"]["unreadable"] == []


@pytest.mark.parametrize("validity", ["unbefristet", "01.01.2026 - unlimited", "- 31.12.9999"])
def test_a_validity_without_an_end(tmp_path: Path, validity: str) -> None:
    """R3: what systems write for "never" is no date, and no doubt."""
    export(tmp_path, ANNA)
    memberships(tmp_path, f"1;Year;{validity};;")
    found = people(read(tmp_path, memberships="memberships.csv"))["1"]
    assert {g["valid_until"] for g in found["groups"]} == {None}
    assert found["unreadable"] == []


@pytest.mark.parametrize(
    ("cell", "span"),
    [
        ("01.01.2026 - 31.12.2026 (!)", (date(2026, 1, 1), date(2026, 12, 31))),
        ("2026-01-01 – 2026-12-31", (date(2026, 1, 1), date(2026, 12, 31))),
        ("01/01/2026-31/12/2026", (date(2026, 1, 1), date(2026, 12, 31))),
        ("01.01.2026 -", (date(2026, 1, 1), None)),
        ("01.01.2026", (date(2026, 1, 1), None)),
        ("- 31.12.2026", (None, date(2026, 12, 31))),
        (None, (None, None)),
    ],
)
def test_periods(cell: str | None, span: tuple[date | None, date | None]) -> None:
    read = periods(pl.Series([cell], dtype=pl.String), Dates(PARIS))
    assert read.row(0) == (*span, False, None)


@pytest.mark.parametrize("cell", ["31.12.2026 - 01.01.2026", "32.01.2026 -", "whenever"])
def test_what_is_no_period_is_kept_as_unread(cell: str) -> None:
    read = periods(pl.Series([cell], dtype=pl.String), Dates(PARIS))
    assert read.row(0) == (None, None, False, cell)


Days = tuple[int | None, int | None]


def day(n: int) -> date:
    return date(2026, 1, n)


@pytest.mark.parametrize(
    ("span", "pause", "left"),
    [
        ((1, 20), (5, 9), [(1, 4), (10, 20)]),
        ((1, 20), (1, 9), [(10, 20)]),
        ((1, 20), (15, 20), [(1, 14)]),
        ((1, 20), (1, 20), []),
        ((1, 20), (5, None), [(1, 4)]),
        ((1, None), (5, 9), [(1, 4), (10, None)]),
        ((10, 20), (5, 9), [(10, 20)]),
        ((1, 4), (5, 9), [(1, 4)]),
        ((1, 20), (None, None), [(1, 20)]),
    ],
)
def test_a_pause_cut_out_of_a_span(span: Days, pause: Days, left: list[Days]) -> None:
    def days(pair: Days) -> Span:
        start, end = pair
        return day(start) if start else None, day(end) if end else None

    assert without(days(span), days(pause)) == [days(pair) for pair in left]


def test_a_membership_paused_from_end_to_end_is_held_and_gives_nothing(tmp_path: Path) -> None:
    export(tmp_path, ANNA)
    memberships(tmp_path, "1;Year;01.01.2026 - 31.01.2026;;01.01.2026 -")
    held = people(read(tmp_path, memberships="memberships.csv"))["1"]["groups"]
    assert {(g["id"], g["valid_until"]) for g in held} == {
        ("membership:Year", LONG_AGO),
        ("group:Gold", LONG_AGO),
    }


def test_columns_can_be_renamed_and_those_named_must_be_there(tmp_path: Path) -> None:
    put(tmp_path, "customers.csv", "Nr;First name;Last name;E-Mail\n1;A;B;a@x.org\n")
    columns = {"id": "Nr", "email": "E-Mail"}
    assert people(read(tmp_path, columns=columns))["1"]["email"] == "a@x.org"
    with pytest.raises(ContractChanged, match="Kundengruppe"):
        read(tmp_path, columns={**columns, "group": "Kundengruppe"})
    with pytest.raises(ContractChanged, match="Customer number"):
        read(tmp_path)


def test_a_club_without_customer_numbers(tmp_path: Path) -> None:
    """The number is optional in Eversports: without it identity is found by e-mail (R1)."""
    export(tmp_path, line(1, "Anna", "Roth", "anna@x.org")[1:])
    with pytest.raises(ContractChanged, match="customer number"):
        read(tmp_path)
    reading = read(tmp_path, columns={"id": None})
    assert reading.customers["erp_id"].to_list() == [None]
    with pytest.raises(SettingsWrong):
        read(tmp_path, columns={"id": None}, memberships="memberships.csv")


def test_columns_in_another_spelling_are_the_same_columns(tmp_path: Path) -> None:
    """R3: words are compared in one form; an archived customer stays archived, and exports have the file's spelling."""
    header = HEADER.replace("Status", "STATUS").replace("Mobile", "mobile")
    export(tmp_path, ANNA.replace("Accepted", "Archived"), header=header)
    reading = read(tmp_path)
    anna = people(reading)["1"]
    assert (anna["status"], anna["phone"]) == ("archived", "+33612345678")
    assert (reading.column_of["status"], reading.column_of["phone"]) == ("STATUS", "mobile")
