"""R1, R2: the identity of rows without ids does not rest on an address that is nobody's own."""

from __future__ import annotations

import polars as pl

from clubsync.extract import identity
from connectors.sdk.model import customers_frame

DESK = "accueil@club.fr"


def people(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Customers by email, last name and phone."""
    return customers_frame(
        [
            {"email": email, "first_name": "Ana", "last_name": name, "phone": phone}
            for email, name, phone in rows
        ]
    )


def resolved(customers: pl.DataFrame, before: pl.DataFrame | None = None) -> pl.DataFrame:
    known: list[identity.Known] = []
    if before is not None:
        stored = before.with_columns(email_norm="email")
        known = [
            identity.Known(erp_id, keys)
            for erp_id, keys in zip(stored["erp_id"], identity.keys_of(stored), strict=True)
        ]
    found, unclear, _ = identity.resolve(
        customers, known, b"key", placeholders=["*@tel.fr"], shared_limit=5
    )
    assert unclear == ()
    return found


def test_r02_an_address_of_many_identifies_nobody() -> None:
    """Seven cards with the desk's address: whoever gets an address of their own is the same person, and so are
    those who keep it, in whatever order they come."""
    first = [(DESK, f"Name{n}", f"+3360000000{n}") for n in range(7)]
    before = resolved(people(*first))
    assert before["erp_id"].n_unique() == 7
    later = [*reversed(first[1:]), ("own@x.fr", "Name0", "+33600000000")]
    after = resolved(people(*later), before)
    ids = dict(before.select("phone", "erp_id").iter_rows())
    assert dict(after.select("phone", "erp_id").iter_rows()) == ids


def test_r02_placeholders_identify_nobody() -> None:
    """Two people with `noemail@…` are two, whichever of them goes; so with a club's own placeholders."""
    for address in ("noemail@x.fr", "0612@tel.fr"):
        before = resolved(
            people((address, "One", "+33600000001"), (address, "Two", "+33600000002"))
        )
        after = resolved(people((address, "Two", "+33600000002")), before)
        assert after["erp_id"].to_list() == [before["erp_id"][1]]
