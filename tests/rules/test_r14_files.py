"""R14, R16: files as clubs really export them."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

import pytest

from clubsync.config import Guard
from tests.support.file_club import FileClub, people, table
from tests.support.rules import NewFileClub

THREE = people(1, 2, 3)
HOUR = timedelta(hours=1)


# --- R16: what was not used is told -----------------------------------------------------------


def test_r16_a_file_dated_later_than_now_is_not_used_and_told(files: FileClub) -> None:
    files.load(table(*THREE))
    before = files.base()
    files.export(table(*people(1, 4)), ago=timedelta(hours=-2))
    step = files.read()
    assert not step["used"]
    assert "customers.csv is dated 2026-03-02 12:10:00 UTC, which is still to come" in (
        step["error"] or ""
    )
    assert files.base() == before
    assert files.rows(
        "select failing_since is not null from sync.club_state where club = %s", files.number
    ) == [(True,)]
    step = files.load(table(*people(1, 4)))
    assert step["used"]
    assert files.inside() == {"1", "4"}


def test_r14_a_clock_that_is_a_little_ahead_does_no_harm(files: FileClub) -> None:
    """ "`as_of` ... never later than our clock"."""
    step = files.load(table(*THREE), ago=timedelta(seconds=-30))
    assert step["as_of"] == files.now.isoformat()
    assert files.load(table(*people(1, 2)), ago=timedelta(seconds=-30))["used"]
    assert files.inside() == {"1", "2"}


def test_r16_a_file_older_than_what_is_loaded_is_not_used_and_told(files: FileClub) -> None:
    """A backup that was put back."""
    files.load(table(*THREE))
    before = files.base()
    files.export(table(*people(1)), ago=HOUR)
    step = files.read()
    assert not step["used"]
    assert "older than the data of 2026-03-02 10:05:00 UTC that are loaded" in (step["error"] or "")
    assert (files.base(), step["rows_written"]) == (before, 0)
    assert files.rows("select used from sync.run where club = %s order by run", files.number) == [
        (True,),
        (False,),
    ]


def test_r16_a_slow_run_that_was_overtaken_is_no_failure(files: FileClub) -> None:
    """Its data are not used, and that is said; but those that are loaded are newer."""
    files.export(table(*THREE))
    pipeline = files.pipeline()
    slow = pipeline.extract([files.id], "test")
    files.load(table(*people(1, 2, 3, 4)))
    (step,) = pipeline.load(pipeline.diff(pipeline.validate(slow, store=False), store=False))
    assert step["error"] is None
    assert not step["used"]
    assert files.inside() == {"1", "2", "3", "4"}


# --- a file that is cut -----------------------------------------------------------------------


def test_r14_a_file_that_ends_inside_its_last_cell_is_doubted(files: FileClub) -> None:
    """ "A file that ends otherwise than the club's last certified one did ... is doubted": nobody leaves, and what may
    be a part of a value overwrites nothing."""
    files.load(table(*people(1, 2, 3, 4)))
    before = files.base()
    cut = table(*people(1, 2, 3)).removesuffix(";active;\n") + ";act"
    columns = "id;email;first;last;status"
    files.files["fields"] = {k: v for k, v in files.files["fields"].items() if k != "groups"}  # type: ignore[attr-defined]
    whole = [row.removesuffix(";") for row in people(1, 2, 3, 4)]
    files.load(table(*whole, columns=columns))
    cut = table(*whole[:3], columns=columns).removesuffix("ive\n")
    step = files.load(cut)
    assert not step["certified"]
    assert "ends inside a row, without a line end" in step["doubts"][0]
    assert files.base() == before
    files.load(table(*whole[:3], columns=columns))
    assert files.inside() == {"1", "2", "3"}


def test_r14_a_file_without_its_footer_is_doubted(files: FileClub) -> None:
    files.load(table(*THREE, "Total;;;;3;"))
    step = files.load(table(*THREE, "", "3 clients au 28/11"))
    assert (step["certified"], files.inside()) == (True, {"1", "2", "3"})
    step = files.load(table(*people(1, 2)))
    assert not step["certified"]
    assert "lacks the line below the table" in step["doubts"][0]
    assert files.inside() == {"1", "2", "3"}


def test_r14_a_person_says_that_the_end_is_right(files: FileClub) -> None:
    files.load(table(*THREE))
    cut = table(*people(1, 2)).removesuffix("\n")
    assert not files.load(cut)["certified"]
    with files.driver() as driver:
        driver.execute(
            "update sync.club_state set confirmed_same_club = true where club = %s", [files.number]
        )
    assert files.load(cut)["certified"]
    assert files.inside() == {"1", "2"}
    assert files.load(cut)["certified"]


def test_r14_a_file_that_lacks_the_end_of_the_last_one_only_suspects(files: FileClub) -> None:
    """Cut at the end of a line: nothing but the people who were last gives it away. It happens when a second reading
    says the same, and not at all when the file turns out whole."""
    everybody = {str(n) for n in range(400)}
    files.load(table(*people(*range(400))))
    step = files.load(table(*people(*range(370))))
    assert (step["certified"], step["suspected"], files.inside()) == (True, 30, everybody)
    files.load(table(*people(*range(400))))
    assert files.inside() == everybody
    files.load(table(*people(*range(370))))
    files.later()
    step = files.read()
    assert (step["suspected"], len(files.inside())) == (0, 370)


@pytest.mark.parametrize("left", [397, 390, 381])
def test_r14_a_few_who_stood_together_at_the_very_end(files: FileClub, left: int) -> None:
    files.load(table(*people(*range(400))))
    step = files.load(table(*people(*range(left))))
    assert (step["suspected"], len(files.inside())) == (400 - left, 400)
    files.later()
    assert files.read()["suspected"] == 0
    assert len(files.inside()) == left


def test_r15_who_leaves_while_a_hold_is_open_joins_it(files: FileClub) -> None:
    """A person decides about them in any case."""
    files.configure(guard=Guard(share="10%", at_least=5, at_most=200))
    files.load(table(*people(*range(100))))
    files.load(table(*people(*range(80))))
    step = files.load(table(*people(*range(72))))
    assert (step["suspected"], step["held"], len(files.inside())) == (0, 28, 100)


@pytest.mark.parametrize("gone", [range(398, 400), range(100, 130), range(0, 400, 14)])
def test_r14_who_leaves_a_file_is_out_at_once(files: FileClub, gone: range) -> None:
    """ "A file ... shows one moment": few people from its end, or people from anywhere in it."""
    stay = [n for n in range(400) if n not in gone]
    files.load(table(*people(*range(400))))
    files.load(table(*people(*stay)))
    assert files.inside() == {str(n) for n in stay}


def test_r14_rows_beside_a_file_prove_its_end(files: FileClub) -> None:
    files.load(table(*people(*range(100))))
    assert files.load(table(*people(*range(70))), rows=70)["certified"]
    assert len(files.inside()) == 70


# --- rows without an id -----------------------------------------------------------------------


def test_r14_a_row_without_an_id_is_a_finding_and_doubts_nobody_else(files: FileClub) -> None:
    files.load(table(*people(1, 2, 3)))
    files.export(table(*people(1), ";zoe@x.fr;Zoe;Zola;active;", ";;;;;"))
    step = files.read()
    assert (step["certified"], step["read"], step["error"]) == (True, 1, None)
    assert files.inside() == {"1"}
    assert step["findings"] == {"ID_MISSING": 1}
    answer = files.why("zoe@x.fr")
    assert answer["verdict"] == "out"
    assert answer["reasons"] == ["ID_MISSING"]
    assert answer["situation"] == "without_id"
    assert "Row 3 of what the ERP sent has no id" in answer["sentence"]
    again = files.load(table(*people(1), ";zoe@x.fr;Zoe;Zola;active;", ";;;;;"))
    assert again["rows_written"] == 0
    files.load(table(*people(1), "9;zoe@x.fr;Zoe;Zola;active;"))
    assert (files.inside(), files.findings()) == ({"1", "9"}, {})
    assert files.why("zoe@x.fr")["verdict"] == "in"


def test_r14_nobody_loses_access_whose_row_lost_its_id(files: FileClub) -> None:
    files.load(table(*people(1, 2, 3)))
    before = files.base()
    lost = people(2)[0].replace("2;", ";", 1)
    step = files.load(table(*people(1, 3), lost))
    assert step["certified"]
    assert files.base() == before
    assert "Row 4" in files.why("p2@x.fr")["sentence"]
    files.load(table(*people(1, 3)))
    assert files.inside() == {"1", "3"}


def test_r14_a_name_in_another_form_may_be_the_row_that_lost_its_id(files: FileClub) -> None:
    """Words are compared in one form: capitals, blanks and decomposed accents make nobody another person."""
    files.load(table(*people(1), "2;jose@x.fr;José;Núñez;active;"))
    decomposed = unicodedata.normalize("NFD", "JOSÉ")
    step = files.load(table(*people(1), f";other@x.fr;{decomposed};Núñez\u00a0;active;"))
    assert step["certified"]
    assert files.inside() == {"1", "2"}


def test_r22_a_total_and_a_note_are_not_to_be_fixed(files: FileClub) -> None:
    step = files.load(table(*people(1), ";;Total;;1;", "", "Export du 28/11/2026"))
    assert (step["certified"], step["findings"]) == (True, {})
    assert [code for codes in files.findings(all=True).values() for code in codes] == ["ID_MISSING"]


PHONES = ("id", "email", "first_name", "last_name", "phone", "status")
PHONE_COLUMNS = "id;email;first;last;phone;status"


@pytest.mark.parametrize(
    "row", [";;Zoe;Zola;;active", ";;;Zola;;", ";;;;0612345678;", ";;Zoe 2;Zola;;"]
)
def test_r22_a_last_person_of_whom_nothing_says_who_they_are(
    new_file_club: NewFileClub, row: str
) -> None:
    """R14: no footer, but ID_MISSING, to be fixed."""
    files = new_file_club(*PHONES)
    first = "1;a@x.fr;Ann;Ames;;active"
    step = files.load(table(first, row, columns=PHONE_COLUMNS))
    assert (step["certified"], step["findings"]) == (True, {"ID_MISSING": 1})
    ((erp_id, severity),) = files.rows(
        "select erp_id, severity from sync.finding where club = %s and closed_at is null",
        files.number,
    )
    assert severity == "error"
    assert "neither an id nor an email" in files.why(erp_id)["sentence"]
    # and the next file, in which it is gone, ends as this one did
    step = files.load(table(first, columns=PHONE_COLUMNS))
    assert (step["certified"], files.findings(all=True)) == (True, {})


@pytest.mark.parametrize(
    "row", [";;Total;;;1", ";;;Nombre de membres : 1;;", ";;Total général;;;", ";;1;;;", ";;;;1;"]
)
def test_r22_a_last_total_is_nobodys(new_file_club: NewFileClub, row: str) -> None:
    files = new_file_club(*PHONES)
    step = files.load(table("1;a@x.fr;Ann;Ames;;active", row, columns=PHONE_COLUMNS))
    assert (step["certified"], step["findings"]) == (True, {})


def test_r14_nobody_loses_access_whose_row_lost_its_id_and_name(new_file_club: NewFileClub) -> None:
    files = new_file_club(*PHONES)
    first = "1;a@x.fr;Ann;Ames;;active"
    files.load(table(first, "2;b@x.fr;Ben;Bell;0612345678;active", columns=PHONE_COLUMNS))
    step = files.load(table(first, ";;;;06 12 34 56 78;", columns=PHONE_COLUMNS))
    assert (step["certified"], step["findings"]) == (True, {"ID_MISSING": 1})
    assert files.inside() == {"1", "2"}


def test_r14_without_ids_a_total_is_nobody_and_a_name_is_somebody(
    new_file_club: NewFileClub,
) -> None:
    files = new_file_club(*CARDS)
    rows = ("a@x.fr;Ann;Ames;;active", "Total;;;1;")
    step = files.load(table(*rows, columns=CARD_COLUMNS))
    assert (step["read"], step["findings"]) == (1, {})
    files = new_file_club(*CARDS)
    step = files.load(table(rows[0], ";Zoe;Zola;;active", columns=CARD_COLUMNS))
    assert (step["read"], step["findings"]) == (2, {"EMAIL_MISSING": 1})


def test_r24_not_read_because_the_row_has_no_id(new_file_club: NewFileClub) -> None:
    """By email, by the id that the person had, or by name; nobody is called by the key of a row."""
    files = new_file_club(*PHONES)
    first = "1;a@x.fr;Ann;Ames;;active"
    files.load(table(first, "2;b@x.fr;Ben;Bell;0612345678;active", columns=PHONE_COLUMNS))
    lost = (";;BEN;Bell;;active", ";;;;0612345678;", ";b@x.fr;;;;")
    for row in lost:
        files.load(table(first, row, columns=PHONE_COLUMNS))
        for who in ("2", "b@x.fr"):
            answer = files.why(who)
            assert (answer["verdict"], answer["reasons"]) == ("in", ["ID_MISSING"]), (row, who)
            assert "Row 3 of what the ERP sent has n" in answer["sentence"]
        assert files.why("1")["reasons"] == []
    files.load(table(first, "2;b@x.fr;Ben;Bell;;active", ";;Zoe;Zola;;", columns=PHONE_COLUMNS))
    answer = files.why("Zoe")
    assert (answer["verdict"], answer["reasons"]) == ("out", ["ID_MISSING"])
    assert answer["sentence"].startswith("This customer, who has no ERP id, has never been")
    assert "not read, because the row has no id" in answer["sentence"]
    assert "~row" not in answer["sentence"]


# --- one person in several rows ---------------------------------------------------------------

SPANS = "id;email;first;last;status;groups;from;until"
DATED = ("id", "email", "first_name", "last_name", "status", "groups", "valid_from", "valid_until")


def test_r14_rows_of_one_id_that_differ_in_their_group_are_one_person(
    new_file_club: NewFileClub,
) -> None:
    """ "one person with all those groups", each with the dates of its row."""
    files = new_file_club(*DATED)
    step = files.load(
        table(
            "1;a@x.fr;Ann;Ames;active;Gold;2025-01-01;2025-12-31",
            "2;b@x.fr;Ben;Bell;active;Pool;2026-01-01;2026-12-31",
            "1;a@x.fr;Ann;Ames;active;Pool;2026-01-01;2026-12-31",
            columns=SPANS,
        )
    )
    assert (step["certified"], step["read"], step["findings"]) == (True, 2, {})
    assert files.inside() == {"1", "2"}
    assert sorted(files.base()["1"]["groups"]) == ["Pool"]


def test_r14_rows_of_one_id_that_differ_otherwise_are_unknown(files: FileClub) -> None:
    files.load(table(*THREE))
    step = files.load(table(*people(1, 2), people(1)[0].replace("Last1", "Else")))
    assert not step["certified"]
    assert files.findings() == {"1": {"ID_DUPLICATE"}}
    assert files.inside() == {"1", "2", "3"}


# --- files without ids ------------------------------------------------------------------------

NAMED = ("email", "first_name", "last_name", "phone", "groups")
COLUMNS = "email;first;last;phone;groups"
TWINS = ["a@x.fr;Ann;Ames;;", ";Zoe;Zola;0612345678;Gold", ";Zoe;Zola;0612345678;Pool|Gold"]
CARDS = ("email", "first_name", "last_name", "phone", "status")
CARD_COLUMNS = "email;first;last;phone;status"
TWO_CARDS = ["a@x.fr;Ann;Ames;;active", ";Zoe;Zola;0612345678;active", ";Zoe;Zola;0612345678;x"]


def known(files: FileClub) -> list[str]:
    sql = "select erp_id from sync.erp_customer where club = %s and gone_at is null order by 1"
    return [row[0] for row in files.rows(sql, files.number)]


def test_r01_two_rows_of_one_name_and_phone_keep_their_ids(new_file_club: NewFileClub) -> None:
    """A salon's two cards: the same file twice writes nothing, and a third card adds one."""
    files = new_file_club(*CARDS)
    files.load(table(*TWO_CARDS, columns=CARD_COLUMNS))
    ids = known(files)
    assert len(ids) == 3
    twins = {i for i, codes in files.findings(all=True).items() if "ID_DUPLICATE" in codes}
    assert len(twins) == 2
    for _ in range(3):
        assert files.load(table(*TWO_CARDS, columns=CARD_COLUMNS))["rows_written"] == 0
        assert known(files) == ids
    files.load(table(*TWO_CARDS, ";Zoe;Zola;0612345678;prospect", columns=CARD_COLUMNS))
    assert set(known(files)) > set(ids)
    assert len(known(files)) == 4
    files.load(table(TWO_CARDS[0], TWO_CARDS[2], columns=CARD_COLUMNS))
    assert len(known(files)) == 2
    assert set(known(files)) < set(ids)
    assert not any("ID_DUPLICATE" in codes for codes in files.findings(all=True).values())


def test_r01_of_two_cards_one_may_change(new_file_club: NewFileClub) -> None:
    files = new_file_club(*CARDS)
    files.load(table(*TWO_CARDS, columns=CARD_COLUMNS))
    ids = known(files)
    changed = [TWO_CARDS[0], TWO_CARDS[2], TWO_CARDS[1].replace("active", "former")]
    files.load(table(*changed, columns=CARD_COLUMNS))
    assert known(files) == ids
    files.load(table(*reversed(changed), columns=CARD_COLUMNS))
    assert known(files) == ids


def test_r14_memberships_of_one_person_are_joined_without_ids_too(
    new_file_club: NewFileClub,
) -> None:
    files = new_file_club(*NAMED)
    step = files.load(
        table("a@x.fr;Ann;Ames;;Gold", "a@x.fr;Ann;Ames;;Pool", *TWINS[1:], columns=COLUMNS)
    )
    assert (step["read"], step["findings"]) == (2, {"EMAIL_MISSING": 1})
    (row,) = [row for row in files.base().values() if row["email"] == "a@x.fr"]
    assert sorted(row["groups"]) == ["Gold", "Pool"]
