"""Planity's export (docs/erps/planity.md; its form is inferred)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from connectors.sdk.errors import ContractChanged
from connectors.sdk.model import Reading
from tests.support.drops import connector, put

HEADER = (
    "Nom;Prénom;Téléphone;Email;Genre;Date de naissance;Adresse;Code postal;Ville;Bloqué RDV en ligne;"
    "Notes;Créé le"
)
ZOE = "Lefèvre;Zoé;06 12 34 56 78;zoe@x.org;Femme;02/01/1990;1 rue X;75011;Paris;Non;allergique;03/01/2026"


def read(folder: Path, *lines: str, encoding: str = "cp1252", **settings: object) -> Reading:
    put(folder, "clients.csv", ("\r\n".join((HEADER, *lines)) + "\r\n").encode(encoding))
    return connector("planity", folder, settings).read()


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-8"])
def test_a_card(tmp_path: Path, encoding: str) -> None:
    reading = read(tmp_path, ZOE, encoding=encoding)
    (zoe,) = reading.customers.to_dicts()
    assert (zoe["first_name"], zoe["last_name"], zoe["email"]) == ("Zoé", "Lefèvre", "zoe@x.org")
    assert (zoe["phone"], zoe["gender"], zoe["birth_date"]) == (
        *("+33612345678", "female"),
        date(1990, 1, 2),
    )
    assert zoe["created_at"] == datetime(2026, 1, 2, 23, tzinfo=UTC)
    assert (zoe["erp_id"], zoe["status"], zoe["groups"]) == (None, "active", [])
    assert reading.certificate.complete


def test_notes_and_addresses_are_dropped_at_the_door(tmp_path: Path) -> None:
    """R19; the columns' names are kept for exports (R22)."""
    reading = read(tmp_path, ZOE)
    kept = str(reading.customers.rows())
    assert "allergique" not in kept
    assert "75011" not in kept
    assert "Notes" in reading.columns


def test_cards_without_email_are_normal(tmp_path: Path) -> None:
    reading = read(
        tmp_path, *[ZOE.replace("zoe@x.org", "").replace("78;", f"{n};") for n in range(10, 20)]
    )
    assert reading.customers["email"].null_count() == 10
    assert reading.certificate.doubts == ()


def test_who_may_not_book_online_is_still_a_customer(tmp_path: Path) -> None:
    """R3: the block says "call us", not that the person has left."""
    (zoe,) = read(tmp_path, ZOE.replace(";Non;", ";Oui;")).customers.to_dicts()
    assert zoe["status"] == "active"


def test_unless_the_club_blocks_people_to_keep_them_out(tmp_path: Path) -> None:
    lines = [ZOE.replace(";Non;", f";{word};") for word in ("Oui", "Non", "", "peut-être")]
    found = read(tmp_path, *lines, blocked="suspended").customers
    assert found.select("status", "status_raw").rows() == [
        ("suspended", None),
        ("active", None),
        ("active", None),
        ("unknown", "peut-être"),
    ]


def test_where_blocks_count_their_column_may_not_go_away(tmp_path: Path) -> None:
    """Otherwise everybody who is blocked would come back."""
    put(tmp_path, "clients.csv", "Nom;Prénom;Téléphone\nA;B;0612345678\n")
    assert connector("planity", tmp_path).read().customers.height == 1
    with pytest.raises(ContractChanged, match="Bloqué"):
        connector("planity", tmp_path, {"blocked": "suspended"}).read()


def test_an_export_with_ids_is_read_by_them(tmp_path: Path) -> None:
    put(tmp_path, "clients.csv", "Réf;Nom;Prénom;Téléphone\nc1;A;B;0612345678\n")
    reading = connector("planity", tmp_path, {"columns": {"id": "Réf"}}).read()
    assert reading.customers["erp_id"].to_list() == ["c1"]
    assert reading.column_of["erp_id"] == "Réf"
