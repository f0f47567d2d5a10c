"""A file is read whole or refused whole (R14)."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from connectors.sdk.errors import ContractChanged, FileBroken, SettingsWrong
from connectors.sdk.files import tabular
from connectors.sdk.files.folder import Content
from tests.support.workbooks import workbook


def parse(
    data: str | bytes,
    name: str = "customers.csv",
    rows: int | None = None,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: int | str = 0,
    header_row: int | None = None,
    columns: tuple[str, ...] = (),
    decisive: tuple[str, ...] | None = None,
) -> tabular.Table:
    raw = data.encode() if isinstance(data, str) else data
    content = Content(name, raw, datetime.now(UTC), rows)
    layout = tabular.Layout(
        delimiter=delimiter,
        encoding=encoding,
        sheet=sheet,
        header_row=header_row,
        columns=columns,
        decisive=decisive,
    )
    return tabular.parse(content, layout)


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(delimiter: str) -> None:
    table = parse(f"id{delimiter}mail\n1{delimiter}a@x.org\n")
    assert table.frame.rows() == [("1", "a@x.org")]


def test_the_line_that_spreadsheets_write_for_themselves_is_no_header() -> None:
    assert parse("sep=,\r\na;b,c\r\n1,2\r\n", rows=1).columns == ("a;b", "c")


def test_cells_are_stripped_and_blank_is_null() -> None:
    assert parse("a;b;c\n 1 ;; x\u00a0\n").frame.rows() == [("1", None, "x")]


def test_lines_without_content_are_no_rows() -> None:
    assert parse("\na;b\n\n1;2\n  \n;\n\n3;4\n\n", rows=2).frame.height == 2


def test_quotes_may_hold_delimiters_quotes_and_line_ends() -> None:
    table = parse('a;b\n"x;""y""";"two\nlines"\n"z";1\n', rows=2)
    assert table.frame.rows() == [('x;"y"', "two\nlines"), ("z", "1")]


def test_a_header_alone_is_a_whole_file_without_rows() -> None:
    table = parse("id;mail\n", rows=0)
    assert table.frame.height == 0
    assert table.columns == ("id", "mail")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_the_encoding_is_recognised(encoding: str) -> None:
    table = parse("Prénom;Nom\nZoé;Lefèvre\n".encode(encoding))
    assert table.columns == ("Prénom", "Nom")
    assert table.frame.rows() == [("Zoé", "Lefèvre")]


def test_a_named_encoding_is_obeyed() -> None:
    assert parse("a;b\né;1\n".encode("latin-1"), encoding="latin-1").frame.rows() == [("é", "1")]
    with pytest.raises(FileBroken, match="not UTF-8 in row 2"):
        parse("a;b\né;1\n".encode("cp1252"), encoding="utf-8")
    with pytest.raises(SettingsWrong, match="klingon"):
        parse("a;b\n", encoding="klingon")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \r\n\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b'{"error": "quota"}', "JSON"),
        (b"%PDF-1.7 a;b", "document"),
        (b"a;b\n\0\0\0", "binary"),
        (b"PK\x03\x04rubbish", "not a valid Excel file"),
        (b"a;b;c\n1;2;3\n4;5", "truncated: its last row, 3, has 2 cells"),
        (b"a;b;c\n1;2;3\n4", "truncated: its last row, 3, has 1 cells"),
        (b'a;b;c\n1;2;3\n4;5;"x', "truncated: its last row ends inside a quoted cell"),
        (b'a;b;c\n1;"2";3\n4;"5"', "truncated: its last row, 3, has 2 cells"),
        (b"a;b;c\n1;2\n4;5;6\n", "Row 2 of .* has 2 cells"),
        (b'a;b;c\n"1";2\n4;5;6\n', "Row 2 of .* has 2 cells"),
        (b"a;b;c\n1;2;3;4\n", "Row 2 of .* has 4 cells"),
        ("a;b\né;é".encode()[:-1], "truncated in the middle of a character"),
        ("a;b\né;1\n".encode() + b"\xe9;2\n", "not UTF-8 in row 3"),
    ],
)
def test_a_truncated_file_or_one_that_is_not_a_table_is_rejected(data: bytes, says: str) -> None:
    with pytest.raises(FileBroken, match=says):
        parse(data)


def test_two_stray_quotes_cannot_swallow_a_person() -> None:
    """The first row's quote would end at the second row's: one row fewer, of the right width."""
    with pytest.raises(FileBroken, match="cannot be parsed"):
        parse('id;name;town\n1;"Dupont;Paris\n2;"Durand;Lyon\n')


@pytest.mark.parametrize("quote", ["", '"'])
def test_delimiters_at_the_end_that_part_nothing_do_no_harm(quote: str) -> None:
    table = parse(f"a;b\n{quote}1{quote};2;;\n3;4\n")
    assert table.frame.rows() == [("1", "2"), ("3", "4")]


def test_the_rows_file_reveals_a_truncation_that_nothing_else_reveals() -> None:
    whole = "id;mail\n1;a@x.org\n2;b@x.org\n"
    assert parse(whole, rows=2).frame.height == 2
    with pytest.raises(FileBroken, match=r"has 1 rows, but customers\.csv\.rows says 2"):
        parse("id;mail\n1;a@x.org\n", rows=2)


def test_a_column_name_that_comes_twice_is_a_changed_contract() -> None:
    table = parse("id;mail;id\n")
    with pytest.raises(ContractChanged, match="columns 1 and 3"):
        table.get("id")
    with pytest.raises(ContractChanged, match="columns 1 and 3"):
        table.need(["id"])


def test_a_column_name_that_no_setting_uses_may_come_twice() -> None:
    table = parse("id;mail;note;note;;\n1;a@x.org;x;y;z;\n")
    table.need(["id", "mail"])
    assert table.get("mail").to_list() == ["a@x.org"]


def test_columns_without_a_name_are_left_out() -> None:
    assert parse("a;;b;\n1;2;3;4\n").frame.rows() == [("1", "3")]


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(ContractChanged, match=r"no column 'mail'\. It has: 'id', 'e-mail'"):
        parse("id;e-mail\n").need(["id", "mail"])


def test_a_file_that_lost_its_header_does_not_put_people_into_messages() -> None:
    """R19: what would be column names are a person's cells."""
    with pytest.raises(ContractChanged) as refused:
        parse("7;ana@x.org\n8;bo@x.org\n").need(["id", "mail"])
    assert "ana" not in str(refused.value)
    with pytest.raises(ContractChanged) as refused:
        parse("Ana;Ana\n").need(["Ana"])
    assert "Ana" not in str(refused.value)


def test_a_workbook_is_read_like_text() -> None:
    data = workbook(
        ["id", "since", "born", "phone", None],
        [1001, datetime(2026, 11, 1, 10, 5), date(1990, 2, 1), "06 12", None],
        [None, None, None, None, None],
        [1002, None, None, " ", None],
    )
    table = parse(data, "customers.xlsx", rows=2)
    assert table.frame.rows() == [
        ("1001", "2026-11-01 10:05:00", "1990-02-01 00:00:00", "06 12"),
        ("1002", None, None, None),
    ]


def test_a_truncated_workbook_is_rejected() -> None:
    data = workbook(["id"], [1])
    with pytest.raises(FileBroken):
        parse(data[: len(data) // 2], "customers.xlsx")


@pytest.mark.parametrize("name", ["customers.xls", "CUSTOMERS.XLSX"])
def test_text_under_an_excel_name_is_read(name: str) -> None:
    """R16: what many programs export as "Excel" is text; a remark says so."""
    table = parse("id\tmail\n1\ta@x.org\n", name)
    assert table.frame.rows() == [("1", "a@x.org")]
    (remark,) = table.remarks
    assert "was read as CSV" in remark


_PIECES = ["a", '"', ";", "\n", "\r\n", "x;y;z\n", '"q";', '""', " ", '"1;2"', '"l\nm"']


@settings(deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
def test_the_quick_reader_never_loses_a_row_that_the_strict_one_sees(body: str) -> None:
    """Where both accept a file they read the same; and the quick one never joins two lines into one."""
    text = f"a;b;c\n{body}"
    cells = tabular._fast(text, ";")
    if cells is None:
        return
    quick = tabular._with_header(cells, "file").frame
    try:
        read = tabular._Rows("file", ";", 0, None, whole=True).read(text)
        strict = pl.concat([part.frame for part in read])
    except FileBroken:
        lines = [
            line for line in body.split("\n") if line.replace(";", "").replace('"', "").strip()
        ]
        assert quick.height == len(lines)
    else:
        assert quick.equals(strict)


# --- exports as they come ---------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_any_line_end_is_one(end: str, quote: str) -> None:
    table = parse(end.join(["id;name", f"1;{quote}Ann{quote}", "2;Ben", ""]))
    assert table.frame.rows() == [("1", "Ann"), ("2", "Ben")]
    assert table.line_end
    mixed = parse("id;name\r\n1;Ann\n2;Ben\r3;Cid")
    assert mixed.frame["name"].to_list() == ["Ann", "Ben", "Cid"]
    assert not mixed.line_end


def test_rows_are_numbered_as_a_spreadsheet_numbers_them() -> None:
    table = parse('\nid;name\n1;Ann\n\n2;"Ben\nBell"\n3;Cid\n')
    assert table.numbers.to_list() == [3, 5, 6]
    assert parse("id;name\n1;Ann\n2;Ben\n").numbers.to_list() == [2, 3]
    book = workbook(["id"], [1], [None], [2])
    assert parse(book, "customers.xlsx").numbers.to_list() == [2, 4]


TITLED = "Export du 28/11/2026\n\nid;mail;name\n1;a@x.org;Ann\n"


def test_titles_above_the_header_are_told_and_skipped_by_a_setting() -> None:
    with pytest.raises(ContractChanged, match=r"are in row 3, not in its first row") as e:
        parse(TITLED, columns=("id", "mail"))
    assert "header_row: 3" in e.value.remedy
    table = parse(TITLED, columns=("id", "mail"), header_row=3)
    assert (table.frame.rows(), table.numbers.to_list()) == ([("1", "a@x.org", "Ann")], [4])
    book = workbook(["Export"], [None], ["id", "mail"], [1, "a@x.org"])
    with pytest.raises(ContractChanged, match="are in row 3"):
        parse(book, "customers.xlsx", columns=("id", "mail"))
    assert parse(book, "customers.xlsx", header_row=3).frame.rows() == [("1", "a@x.org")]
    with pytest.raises(ContractChanged, match="no content in row 9"):
        parse(TITLED, header_row=9)


def test_an_export_that_drops_blank_cells_at_the_end_of_a_row() -> None:
    text = "id;mail;phone;town\n1;a@x.org;06;Paris\n2;b@x.org\n3;c@x.org;07\n"
    table = parse(text, decisive=("id", "mail"))
    assert table.frame.rows()[1:] == [("2", "b@x.org", None, None), ("3", "c@x.org", "07", None)]
    for broken, says in (
        (text + "4", "truncated: its last row, 5, has 1 cells"),
        (text + "4;d@x.org", "truncated: its last row, 5, has 2 cells"),
        (text + "4\n5;e@x.org;;Lyon\n", "Row 5 of .* has 1 cells"),
        (text + "4;d@x.org;08;\n", "Row 3 of .* has 2 cells"),
    ):
        with pytest.raises(FileBroken, match=says):
            parse(broken, decisive=("id", "mail"))
    with pytest.raises(FileBroken, match="Row 3 of"):
        parse(text, decisive=("id", "phone"))


@pytest.mark.parametrize(
    "below",
    ["\n3 clients\n", "\nTotal;3\n\n", "Total : 3\n", '"Exporté le 28/11"\n', "\n\nA\nB;C\n"],
)
def test_notes_below_the_table_are_none_of_it(below: str) -> None:
    table = parse("id;mail;name;town\n1;a@x.org;Ann;Lyon\n2;b@x.org;Ben;\n" + below)
    assert (table.frame.height, table.notes > 0) == (2, True)


@pytest.mark.parametrize(
    "cut", ["3;c@x.org", "3", "\n3;c@x.org", "Total", "\n3;Cid", "\n3", "3;Cid\n", "\n3;Cid\n"]
)
def test_a_row_that_was_cut_is_no_note(cut: str) -> None:
    with pytest.raises(FileBroken):
        parse("id;mail;name;town\n1;a@x.org;Ann;Lyon\n2;b@x.org;Ben;\n" + cut)


def test_text_that_a_formula_keeps_is_text() -> None:
    for cell in ('="0001"', '"=""0001"""'):
        assert parse(f"id;mail\n{cell};a@x.org\n").frame.rows() == [("0001", "a@x.org")]


def test_a_column_is_found_in_any_spelling() -> None:
    table = parse("PRE\u0301NOM;  e-mail\u00a0adresse \nZoé;z@x.org\n")
    assert table.get("Prénom").to_list() == ["Zoé"]
    assert table.get("E-Mail adresse").to_list() == ["z@x.org"]


def zipped(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def test_a_zipped_export_is_the_one_file_in_it() -> None:
    csv_, book = b"id\n1\n", workbook(["id"], [1])
    for data in (csv_, book):
        for packed in (zipped(("a/c.csv", data), ("__MACOSX/c.csv", b"x")), gzip.compress(data)):
            assert parse(packed, "c.zip").frame.rows() == [("1",)]
    with pytest.raises(FileBroken, match="has 2 files in it"):
        parse(zipped(("a.csv", csv_), ("b.csv", csv_)), "c.zip")
    for packed in (zipped(("a.csv", csv_ * 999)), gzip.compress(csv_ * 999)):
        with pytest.raises(FileBroken, match="truncated or damaged"):
            parse(packed[: len(packed) // 2], "c.zip")
    with pytest.raises(FileBroken, match="more than 200 times its size"):
        parse(zipped(("a.csv", b"0" * 2**27)), "c.zip")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<html><table><tr><td>id</td></tr></table></html>", "a web page"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "Excel 2003 XML"),
    ],
)
def test_what_has_the_name_of_a_workbook_is_told_what_it_is(data: bytes, says: str) -> None:
    with pytest.raises(FileBroken, match=f"not an Excel file.*{says}") as e:
        parse(data, "customers.xls")
    assert "XLSX" in e.value.remedy


def test_a_sheet_by_name_or_number() -> None:
    book = Workbook()
    first = book.active
    assert first is not None
    first.append(["title"])
    second = book.create_sheet("Clients actifs")
    second.append(["id"])
    second.append([7])
    out = io.BytesIO()
    book.save(out)
    for sheet in (1, "Clients actifs", "clients  ACTIFS"):
        assert parse(out.getvalue(), "c.xlsx", sheet=sheet).frame.rows() == [("7",)]
    for sheet in (2, "Clients"):
        with pytest.raises(ContractChanged, match=f"no sheet {sheet!r}.*'Clients actifs'") as e:
            parse(out.getvalue(), "c.xlsx", sheet=sheet)
        assert "`sheet`" in e.value.remedy


def test_garbled_names_are_refused_where_they_are_used() -> None:
    """R14: text that was encoded twice; a few odd cells are the ERP's own."""
    twice = "id;nom;note\n1;François;Zoé\n".encode().decode("cp1252").encode()
    with pytest.raises(FileBroken, match=r"letters with accents are garbled, first in row 2") as e:
        parse(twice).ungarbled(["id", "nom"])
    assert "`encoding`" in e.value.remedy
    assert parse(twice.replace(b"Fran\xc3\x83\xc2\xa7ois", b"Ann")).ungarbled(["nom"]).remarks == ()
    few = "id;nom\n1;Ren\ufffde\n2;Zoé\n3;Noël\n"
    (remark,) = parse(few).ungarbled(["nom"]).remarks
    assert "in row 2" in remark
