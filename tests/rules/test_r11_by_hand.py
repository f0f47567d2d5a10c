"""R11: customers added by hand and requests live beside the sync; R9: links are made, kept and moved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from types import SimpleNamespace
from typing import Literal

import pytest

from clubsync import clock
from clubsync.config import Config
from clubsync.errors import ActionRejected
from clubsync.manual import app_users, customers, identity, requests
from clubsync.manual.undo import undo
from tests.support.club import Club


def test_r11_the_sync_never_deactivates_who_was_added_by_hand(club: Club) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.add_by_hand("hand@x.fr")
    club.sync()
    club.erp.change("1", first_name="Other")
    club.sync()
    assert club.inside() == {"1", "hand@x.fr"}


def test_r11_a_pending_request_has_no_access_until_accepted(club: Club) -> None:
    """ "A pending attachment request has no access; it is accepted when a person accepts it"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    user = club.register("new@x.fr")
    made = requests.request(club._base, club.config, str(user))
    assert made["state"] == "pending"
    assert club.inside() == {"1"}
    requests.accept(club._base, club.config, str(made["id"]))
    assert club.inside() == {"1", "new@x.fr"}
    assert club.base()["new@x.fr"]["origin"] == "request"
    assert club.base()["new@x.fr"]["link"] == "linked"
    club.sync()
    assert club.inside() == {"1", "new@x.fr"}


def test_r11_a_request_accepts_itself_when_the_erp_lets_them_in(club: Club) -> None:
    """ "or when its confirmed email becomes that of an eligible ERP customer"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    user = club.register("new@x.fr")
    requests.request(club._base, club.config, str(user))
    club.erp.put("2", "New@x.fr")
    club.sync()
    assert club.base()["2"]["link"] == "linked"
    assert club.rows("select state from base.attachment_request") == [("accepted",)]


def test_r11_an_unconfirmed_email_accepts_nothing(club: Club) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    user = club.register("new@x.fr", confirmed=False)
    requests.request(club._base, club.config, str(user))
    club.erp.put("2", "new@x.fr")
    club.sync()
    assert club.base()["2"]["link"] == "email_unconfirmed"
    assert club.rows("select state from base.attachment_request") == [("pending",)]
    app_users.confirm(club._base, {club.number: club.config}, str(user))
    assert club.base()["2"]["link"] == "linked"
    assert club.rows("select state from base.attachment_request") == [("accepted",)]


def test_r11_refused_stays_out(club: Club) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    user = club.register("new@x.fr")
    made = requests.request(club._base, club.config, str(user))
    requests.refuse(club._base, club.config, str(made["id"]))
    with pytest.raises(ActionRejected, match="no such pending"):
        requests.accept(club._base, club.config, str(made["id"]))
    assert club.inside() == {"1"}


def test_r11_adding_somebody_by_hand_accepts_what_they_asked_for(club: Club) -> None:
    """A person let them in: nothing of theirs waits for a decision any more."""
    user = club.register("new@x.fr")
    requests.request(club._base, club.config, str(user))
    club.add_by_hand("new@x.fr")
    assert club.base()["new@x.fr"]["link"] == "linked"
    assert club.rows("select state from base.attachment_request") == [("accepted",)]


def test_r11_a_request_of_somebody_linked_meanwhile(club: Club) -> None:
    """They asked, confirmed the email of a customer who is out, and that customer's email moved on: accepted,
    they are a customer of their own; the link stays where it was made (R9)."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.change("1", status="former")
    club.sync()
    user = club.register("new@x.fr")
    made = requests.request(club._base, club.config, str(user))
    app_users.set_email(club._base, {club.number: club.config}, str(user), "a@x.fr")
    club.erp.change("1", email="z@x.fr")
    club.sync()
    requests.accept(club._base, club.config, str(made["id"]))
    links = {key: row["link"] for key, row in club.base().items()}
    assert links == {"1": "email_mismatch", "2": "not_registered", "a@x.fr": "not_registered"}


def test_r11_two_accounts_with_one_email_ask_twice(club: Club) -> None:
    """Whoever asks again has the request they made, not another's of the same email."""
    one = club.register("new@x.fr", confirmed=False)
    other = club.register("new@x.fr")
    asked = [
        requests.request(club._base, club.config, str(user))["id"] for user in (one, other) * 2
    ]
    assert asked[:2] == asked[2:]


def test_r09_an_email_corrected_by_hand_links_whose_it_is(club: Club) -> None:
    """ "it is linked to a base customer when its confirmed email equals the customer's email"."""
    club.register("right@x.fr")
    club.add_by_hand("wrong@x.fr")
    customer = str(club.base()["wrong@x.fr"]["id"])
    customers.edit(club._base, club.config, customer, email="right@x.fr")
    assert club.base()["right@x.fr"]["link"] == "linked"


def test_r09_a_swap_never_shows_one_persons_data_to_the_other(club: Club) -> None:
    """ "A link, once made, stays with that base customer: ... `email_mismatch` while they do not
    [agree], and live again, without anyone's help, when they agree again"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    users = {erp_id: club.link(erp_id) for erp_id in ("1", "2")}
    club.erp.change("1", email="b@x.fr")
    club.erp.change("2", email="a@x.fr")
    club.sync()
    assert {row["link"] for row in club.base().values()} == {"email_mismatch"}
    linked = dict(club.rows("select erp_id, linked_user from base.customer"))
    assert linked == users
    club.erp.change("1", email="a@x.fr")
    club.erp.change("2", email="b@x.fr")
    club.sync()
    assert {row["link"] for row in club.base().values()} == {"linked"}


def test_r09_only_their_own_confirmed_email_moves_a_user(club: Club) -> None:
    """ "only the user's own newly confirmed email moves the user to another customer"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    user = club.link("1")
    clubs = {club.number: club.config}
    app_users.set_email(club._base, clubs, str(user), "b@x.fr", confirmed=False)
    assert club.base()["1"]["link"] == "email_mismatch"
    assert club.base()["2"]["link"] == "email_unconfirmed"
    app_users.confirm(club._base, clubs, str(user))
    assert club.base()["1"]["link"] == "not_registered"
    assert club.base()["2"]["link"] == "linked"


def test_r11_who_is_out_because_of_the_erp_is_not_added_by_hand(club: Club) -> None:
    """Access follows the ERP always: the sentence says where to mend it."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.change("1", status="former")
    club.sync()
    with pytest.raises(ActionRejected, match="no access because of the ERP"):
        club.add_by_hand("a@x.fr")


@pytest.mark.parametrize("who", ["²", "9" * 19, "9" * 40])
def test_r11_what_looks_like_a_number_and_is_no_id(club: Club, who: str) -> None:
    """A superscript, and more digits than an id has, match nobody: that is said, and is no internal error."""
    with pytest.raises(ActionRejected):
        customers.detach(club._base, club.config, who, by="somebody")
    with pytest.raises(ActionRejected):
        app_users.confirm(club._base, {club.number: club.config}, who)


def test_r13_a_name_is_kept_without_the_blanks_around_it(club: Club) -> None:
    """As when a customer is added; blanks alone are no name."""
    club.erp.put("1", "a@x.fr", first_name="Ana", last_name="Alba")
    club.sync()
    club.edit("1", first_name=" Anna ", last_name="  ")
    row = club.base()["1"]
    assert (row["first_name"], row["last_name"]) == ("Anna", None)


def test_r09_of_two_accounts_that_confirm_an_email_at_once_one_is_told(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that nobody has it; the second is no internal error."""
    both, now = Barrier(2, timeout=20), clock.now

    def together() -> datetime:
        both.wait()
        return now()

    monkeypatch.setattr(app_users, "clock", SimpleNamespace(now=together))

    def register(_: int) -> str:
        try:
            return str(app_users.register(club._base, {}, "twice@x.fr")["email"])
        except ActionRejected as error:
            return error.what

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(register, range(2)))
    assert told == ["An app account with this email already exists.", "twice@x.fr"]


def _reused(club: Club, **before: str) -> int:
    """Id 1 was Ann's, and shows somebody else; Ann's customer id."""
    club.erp.put("1", "ann@x.fr", first_name="Ann", last_name="Martin")
    club.sync()
    if before:
        club.erp.change("1", **before)
        club.sync()
    customer = int(club.base()["1"]["id"])
    club.erp.put("1", "else@x.fr", first_name="Else", last_name="Body")
    club.sync()
    assert club.findings() == {"1": {"ID_REUSED"}}
    return customer


@pytest.mark.parametrize("decision", ["keep", "replace"])
def test_r11_whom_a_reused_id_shows_is_added_by_hand_meanwhile(
    club: Club, decision: Literal["keep", "replace"]
) -> None:
    """R1: the record adopts nobody before the decision. Then it absorbs the one added by hand, or is theirs: they have
    access all along."""
    customer = _reused(club)
    hand = club.add_by_hand("else@x.fr")
    club.sync()
    assert club.inside() == {"1", "else@x.fr"}
    identity.decide(club._base, club.config, "1", decision, by="ann")
    assert "else@x.fr" in club.inside()
    club.sync()
    assert "1" in club.inside()
    assert club.base()["1"]["email"] == "else@x.fr"
    assert club.base()["1"]["id"] == (customer if decision == "keep" else hand)


def test_r11_whose_id_shows_somebody_else_is_added_after_the_decision(club: Club) -> None:
    """R1: nothing changes until a person decides; whose record is another's then has none in the ERP, and lives
    beside the sync."""
    customer = _reused(club, status="former")
    with pytest.raises(ActionRejected, match="shows another person") as rejected:
        club.add_by_hand("ann@x.fr")
    assert f"clubsync reused {club.id}" in str(rejected.value.remedy)
    identity.decide(club._base, club.config, "1", "replace", by="ann")
    assert club.add_by_hand("ann@x.fr") == customer
    club.sync()
    assert club.inside() == {"1", "ann@x.fr"}
    assert club.base()["1"]["email"] == "else@x.fr"
    assert club.sync()["rows_written"] == 0
    # as of everybody added by hand: a record with that email adopts them, whatever its names are
    assert club.customer(customer)["origin"] == "manual"
    club.erp.put("9", "ann@x.fr", first_name="Anna", last_name="Marten-Dupont")
    club.sync()
    assert club.base()["9"]["id"] == customer
    assert club.inside() == {"1", "9"}


def test_r11_who_has_access_beside_a_reused_id_is_not_added_twice(club: Club) -> None:
    """R1: the id shows somebody else, and whoever was there keeps access."""
    _reused(club)
    with pytest.raises(ActionRejected, match="already has a customer"):
        club.add_by_hand("ann@x.fr")
    assert club.inside() == {"1"}


def test_r11_a_request_of_whom_an_undo_took_out_is_accepted(club: Club) -> None:
    """As adding them by hand is (R18)."""
    club.erp.put("1", "a@x.fr")
    run = club.sync()["run"]
    assert run is not None
    undo(club._base, Config(clubs=(club.config,)), run, by="ann")
    user = club.register("a@x.fr", confirmed=False)
    made = requests.request(club._base, club.config, str(user))
    assert club.inside() == set()
    requests.accept(club._base, club.config, str(made["id"]))
    club.sync()
    assert (club.inside(), club.findings()) == ({"1"}, {})
