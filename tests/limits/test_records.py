"""One record that is too large is one record: it keeps what it has, a finding says so, and the club goes on (R3)."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from clubsync.config import Config
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
from connectors.sdk import words
from connectors.sdk.base import Connection
from connectors.sdk.errors import ContractChanged
from connectors.sdk.fields import split_name
from connectors.sdk.model import LENGTHS, MOST_GROUPS, MOST_SPANS, groups_frame
from tests.support.club import Club
from tests.support.file_club import FileClub, people, table
from tests.support.measured import MEGABYTE, measured
from tests.support.rules import NewFileClub
from tests.support.workbooks import workbook

#: Text that no compression makes small enough for an entry of an index.
LONG = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(4_000))
MARIE = {"first_name": "Marie", "last_name": "Curie", "phone": "+33123456789"}


def codes(club: Club, erp_id: str) -> set[str]:
    """The open findings of a record."""
    return club.findings(all=True).get(erp_id, set())


def test_a_long_name_changes_nothing(club: Club) -> None:
    club.erp.put("1", "marie@x.fr", **MARIE)
    club.erp.put("2", "paul@x.fr")
    club.sync()
    club.erp.change("1", first_name=LONG)
    club.erp.put("3", "new@x.fr")
    club.sync()
    assert set(club.base()) == {"1", "2", "3"}
    assert club.base()["1"]["first_name"] == "Marie"
    assert codes(club, "1") == {"FIELD_MISSING"}


def test_a_long_email_keeps_who_has_access_and_lets_nobody_in(club: Club) -> None:
    club.erp.put("1", "marie@x.fr", **MARIE)
    club.sync()
    club.erp.change("1", email=f"{LONG}@x.fr")
    club.erp.put("2", f"{LONG}@x.fr")
    club.sync()
    assert club.base()["1"]["in_customers_group"]
    assert "2" not in club.base()
    assert codes(club, "1") == codes(club, "2") == {"EMAIL_INVALID"}


@pytest.mark.parametrize("held", [[LONG], [f"g{n}" for n in range(MOST_SPANS + 1)]])
def test_groups_beyond_measure_are_unknown(club: Club, held: list[str]) -> None:
    """An id that no index holds, and more groups than anybody is in."""
    club.erp.group("gold")
    club.erp.put("1", "marie@x.fr", groups=["gold"])
    club.erp.put("2", "paul@x.fr", groups=["gold"])
    club.sync()
    for group in held:
        club.erp.group(group, name=LONG)
    club.erp.change("1", groups=held)
    club.erp.put("3", "new@x.fr", groups=held)
    club.sync()
    assert club.base()["1"]["in_customers_group"]
    assert club.base()["1"]["groups"] == ["gold"]
    assert "3" not in club.base()
    assert "GROUP_UNKNOWN" in codes(club, "1") & codes(club, "3")


def test_a_long_id_is_none(club: Club) -> None:
    """Its row is told, and the others are read."""
    club.erp.put("1", "marie@x.fr", guardian_id=LONG, replaced_by=LONG)
    club.erp.put(LONG, "paul@x.fr")
    club.sync()
    assert set().union(*club.findings(all=True).values()) == {"ID_MISSING", "FIELD_MISSING"}
    assert not any(LONG in str(row) for row in club.rows("select erp_id from sync.erp_customer"))


def test_a_long_name_of_a_group_is_cut(club: Club) -> None:
    club.erp.group("gold", name=LONG)
    club.erp.put("1", "marie@x.fr", groups=["gold"])
    club.sync()
    assert [len(name) for name in club.base()["1"]["groups"]] == [255]


def test_a_column_that_is_none_of_groups(files: FileClub) -> None:
    """Every customer in a group of their own would be 25,000 groups in the base."""
    files.load(table(*people(1, 2, 3)))
    rows = [f"{n};p{n}@x.fr;First;Last;active;note {n}" for n in range(MOST_GROUPS + 1)]
    files.export(table(*rows))
    step = files.read()
    assert "different groups; the limit is 20000" in (step["error"] or "")
    assert files.inside() == {"1", "2", "3"}


def test_who_is_within_the_limits_is_read_as_ever(club: Club) -> None:
    longest = {name: "x" * most for name, most in LENGTHS.items() if name.endswith("_name")}
    club.erp.put("7" * LENGTHS["erp_id"], "marie@x.fr", **longest)
    club.sync()
    (row,) = club.base().values()
    assert row["first_name"] == longest["first_name"]
    assert club.findings() == {}


def test_more_groups_than_a_club_has() -> None:
    from connectors.sdk.model import bounded_groups

    many = [{"id": str(n), "name": "x", "active": True} for n in range(MOST_GROUPS + 1)]
    with pytest.raises(ContractChanged, match="the limit is 20000"):
        bounded_groups(groups_frame(many))


@pytest.mark.parametrize("name", ["a " * 100_000, "de " * 100_000, "A" * 300_000, "a," * 50_000])
def test_a_name_of_a_hundred_thousand_words(name: str) -> None:
    """Took two minutes, and the memory of ten thousand names."""
    assert split_name(name) == ("#TOO_LONG!", "#TOO_LONG!")


def test_a_cell_of_a_thousand_groups_takes_no_cube(files: FileClub) -> None:
    cell = "/".join(f"g{n}" for n in range(800))
    assert len(words.split_names(cell * 3, ["/"], ["a/b", "g799g0/g1"])) == 801
    groups = cell.replace("/", "|")
    files.load(
        table(f"1;p@x.fr;First;Last;active;{groups}", "2;q@x.fr;First;Last;active;Gold | Silver")
    )
    assert files.inside() == {"1", "2"}


def test_words_are_not_remembered_by_the_megabyte() -> None:
    found = measured(
        "for n in range(3_000):\n    word(str(n) + 'x' * 100_000)",
        "from connectors.sdk.words import word\nword('a')",
    )
    assert (found.kind, found.grown < 60 * MEGABYTE) == (None, True)


def test_a_workbook_that_ends_its_process_is_one_club_s_failure(
    new_file_club: NewFileClub, shared_base: Base, tmp_path: Path
) -> None:
    """R25: 'did not hold up the others'; the whole process used to end."""
    bad, good = new_file_club(), new_file_club()
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(["id", "email"], [1, "a"]))) as old,
        zipfile.ZipFile(out, "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            corner = (
                b'<row r="1048576">' + b"<c/>" * 16_383 + b'<c t="n"><v>1</v></c></row></sheetData>'
            )
            new.writestr(name, content.replace(b"</sheetData>", corner))
    folders = {club.id: tmp_path / club.id for club in (bad, good)}
    for folder in folders.values():
        folder.mkdir()
    (folders[bad.id] / "customers.csv").write_bytes(out.getvalue())
    (folders[good.id] / "customers.csv").write_text(table(*people(1, 2)))
    for folder in folders.values():
        good.touch(folder / "customers.csv", good.now - timedelta(minutes=1))
    bad.files["max_memory_megabytes"] = 256
    pipeline = Pipeline(
        Config(clubs=(bad.config, good.config)),
        shared_base,
        Store(str(tmp_path / "store")),
        resolve=lambda name: Connection(id=name, host=folders[name].as_uri()),
    )
    failed, done = pipeline.sync([bad.id, good.id], "test")
    assert failed["runbook"] == "limit-exceeded"
    assert "customers.csv cannot be read with 256 MB of memory" in (failed["error"] or "")
    assert (done["error"], good.inside()) == (None, {"1", "2"})


@pytest.mark.parametrize("text", [LONG, "a\0b", "\ud800"])
def test_what_is_typed_by_hand_has_limits_too(text: str) -> None:
    from clubsync.errors import ActionRejected
    from clubsync.manual import customers

    with pytest.raises(ActionRejected, match="cannot be stored"):
        customers._check_typed("Ann", text, None)
    customers._check_typed("Ann", None, "x" * 255)
