"""R9: the same ERP id with another email is re-keyed in place; swaps and chains in one transaction."""

from __future__ import annotations

from tests.support.club import Club


def test_r09_swap_is_applied_in_one_transaction(club: Club) -> None:
    """ "Swaps (A takes B's email while B takes A's) ... are applied in one transaction"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    before = club.base()
    club.erp.change("1", email="b@x.fr")
    club.erp.change("2", email="a@x.fr")
    club.sync()
    after = club.base()
    assert {k: (r["id"], r["email"]) for k, r in after.items()} == {
        "1": (before["1"]["id"], "b@x.fr"),
        "2": (before["2"]["id"], "a@x.fr"),
    }
    assert club.kinds() == {"email_change": 2}
    assert club.inside() == {"1", "2"}


def test_r09_rekeyed_in_place(club: Club) -> None:
    """ "the base customer is re-keyed in place, never removed and added"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.change("1", email="new@x.fr")
    club.sync()
    assert (club.base()["1"]["id"], club.base()["1"]["email"]) == (customer, "new@x.fr")
    assert club.kinds() == {"email_change": 1}


def test_r09_a_chain_of_three(club: Club) -> None:
    """ "Swaps, chains, and emails freed in the same run": a to b, b to c, c to something new."""
    for erp_id, email in {"1": "a@x.fr", "2": "b@x.fr", "3": "c@x.fr"}.items():
        club.erp.put(erp_id, email)
    club.sync()
    ids = {k: r["id"] for k, r in club.base().items()}
    for erp_id, email in {"1": "b@x.fr", "2": "c@x.fr", "3": "d@x.fr"}.items():
        club.erp.change(erp_id, email=email)
    club.sync()
    assert {k: r["email"] for k, r in club.base().items()} == {
        "1": "b@x.fr",
        "2": "c@x.fr",
        "3": "d@x.fr",
    }
    assert {k: r["id"] for k, r in club.base().items()} == ids
    assert club.kinds() == {"email_change": 3}


def test_r09_a_ring_of_three(club: Club) -> None:
    """Everybody takes the next one's email."""
    emails = ["a@x.fr", "b@x.fr", "c@x.fr"]
    for i, email in enumerate(emails):
        club.erp.put(str(i), email)
    club.sync()
    for i in range(3):
        club.erp.change(str(i), email=emails[(i + 1) % 3])
    club.sync()
    assert [club.base()[str(i)]["email"] for i in range(3)] == ["b@x.fr", "c@x.fr", "a@x.fr"]
    assert club.inside() == {"0", "1", "2"}


def test_r09_an_email_freed_in_the_same_run(club: Club) -> None:
    """One gives its email up, a new record has it from the same run on."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    first = club.base()["1"]["id"]
    club.erp.change("1", email="b@x.fr")
    club.erp.put("2", "a@x.fr")
    club.sync()
    assert {k: r["email"] for k, r in club.base().items()} == {"1": "b@x.fr", "2": "a@x.fr"}
    assert club.base()["1"]["id"] == first
    assert club.kinds() == {"addition": 1, "email_change": 1}


def test_r09_a_link_stays_with_its_customer(club: Club) -> None:
    """ "it is live while the two emails agree, `email_mismatch` while they do not, and live again, without
    anyone's help, when they agree again"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.link("1")
    club.erp.change("1", email="b@x.fr")
    club.sync()
    assert club.base()["1"]["link"] == "email_mismatch"
    assert club.findings() == {"1": {"EMAIL_MISMATCH_APP"}}
    club.erp.change("1", email="a@x.fr")
    club.sync()
    assert club.base()["1"]["link"] == "linked"
    assert club.findings() == {}


def test_r09_a_swap_shows_nobody_anothers_data(club: Club) -> None:
    """ "So a swap in the ERP never shows one person's data to the other"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    users = {erp_id: club.link(erp_id) for erp_id in "12"}
    club.erp.change("1", email="b@x.fr")
    club.erp.change("2", email="a@x.fr")
    club.sync()
    linked = club.rows("select erp_id, linked_user from base.customer where club = %s", club.number)
    assert dict(linked) == users
    assert {r["link"] for r in club.base().values()} == {"email_mismatch"}


def test_r09_a_known_user_is_linked_with_the_addition(club: Club) -> None:
    """A confirmed app user whose email is a new customer's is linked to it; an unconfirmed one is not."""
    club.erp.put("0", "zero@x.fr")
    club.sync()
    club.register("sure@x.fr")
    club.register("maybe@x.fr", confirmed=False)
    club.erp.put("1", "Sure@x.fr")
    club.erp.put("2", "maybe@x.fr")
    club.erp.put("3", "nobody@x.fr")
    club.sync()
    assert {k: r["link"] for k, r in club.base().items()} == {
        "1": "linked",
        "2": "email_unconfirmed",
        "3": "not_registered",
        "0": "not_registered",
    }


def test_r09_a_newcomer_with_a_freed_email_takes_nobodys_user(club: Club) -> None:
    """Only their own newly confirmed email moves a person who is linked in this club."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    user = club.link("1")
    club.erp.change("1", email="b@x.fr")
    club.erp.put("2", "a@x.fr")
    club.sync()
    linked = club.rows("select erp_id, linked_user from base.customer where club = %s", club.number)
    assert dict(linked) == {"1": user, "2": None}
