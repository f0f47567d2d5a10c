"""The Tryton connector against a real Tryton 8.2: what its module says was seen, seen again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.base import Club, Connection
from connectors.errors import CredentialsRefused, ErpUnreachable, SettingsWrong
from connectors.http import HttpLimits
from connectors.tryton import TrytonConnector, TrytonSettings
from sandbox.tryton import Feeder, TrytonError
from sandbox.world import ClubSpec, World
from tests.support.tryton import ANYONE, Tryton, tryton

__all__ = ["tryton"]

CLUB = Club("dojo", ZoneInfo("Europe/Paris"), "FR")
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.fixture
def erp(tryton: Tryton) -> Tryton:
    """An empty Tryton."""
    tryton.clear()
    return tryton


def connector(erp: Tryton, url: str | None = None, **settings: Any) -> TrytonConnector:
    return TrytonConnector(
        Connection("c", url or erp.url, erp.login, erp.password),
        TrytonSettings(**{"http": HttpLimits(attempts=1), **settings}),
        CLUB,
        now=lambda: NOW,
    )


def party(erp: Tryton, name: str | None, *emails: str, **values: Any) -> int:
    """Create a party with these emails, in their order; returns its id."""
    mechanisms = [{"type": "email", "value": e} for e in emails]
    created: list[int] = erp.client.model(
        "party.party",
        "create",
        [{"name": name, "contact_mechanisms": [["create", mechanisms]], **values}],
    )
    return created[0]


def rows(reading: Any) -> dict[str, dict[str, Any]]:
    return {row["erp_id"]: row for row in reading.customers.iter_rows(named=True)}


def test_merge_with_tryton_s_own_wizard(erp: Tryton) -> None:
    """R10. `party.replace`: inactive, names its successor, loses its email; the survivor keeps its own."""
    stays = party(erp, "Ana Ruiz", "ana@example.com")
    goes = party(erp, "Ana Ruiz", "ana.old@example.com")
    erp.client.wizard("party.replace", {"source": goes, "destination": stays}, "replace")
    reading = connector(erp).read()
    assert reading.certificate.complete
    found = rows(reading)
    assert found[str(goes)]["replaced_by"] == str(stays)
    assert found[str(goes)]["status"] == "archived"
    assert found[str(goes)]["email"] is None
    assert found[str(stays)]["email"] == "ana@example.com"
    moved = erp.search(
        "party.contact_mechanism", [["party", "=", stays], *ANYONE], ["value", "active"]
    )
    assert [(m["value"], bool(m["active"])) for m in moved] == [
        ("ana@example.com", True),
        ("ana.old@example.com", False),
    ]


def test_a_replaced_party_cannot_come_back(erp: Tryton) -> None:
    """Tryton itself refuses: so `replaced_by` is final."""
    stays, goes = party(erp, "Ana"), party(erp, "Ana")
    erp.client.wizard("party.replace", {"source": goes, "destination": stays}, "replace")
    with pytest.raises(TrytonError):
        erp.client.model("party.party", "write", [goes], {"active": True})


def test_merge_of_a_merge(erp: Tryton) -> None:
    """A chain is stated link by link."""
    a, b, c = party(erp, "Ana"), party(erp, "Ana"), party(erp, "Ana", "ana@example.com")
    erp.client.wizard("party.replace", {"source": a, "destination": b}, "replace")
    erp.client.wizard("party.replace", {"source": b, "destination": c}, "replace")
    found = rows(connector(erp).read())
    assert (found[str(a)]["replaced_by"], found[str(b)]["replaced_by"]) == (str(b), str(c))


def test_erasure_with_tryton_s_own_wizard(erp: Tryton) -> None:
    """R20. `party.erase` empties the party, but Tryton keeps `value_compact`: we must never read it."""
    gone = party(erp, "Ana Ruiz", "ana@example.com")
    erp.client.model("party.party", "write", [gone], {"active": False})
    erp.client.wizard("party.erase", {"party": gone}, "erase")
    row = rows(connector(erp).read())[str(gone)]
    assert row["status"] == "deleted"
    assert [row[k] for k in ("email", "first_name", "last_name", "phone")] == [None] * 4
    left = erp.search(
        "party.contact_mechanism", [["party", "=", gone], *ANYONE], ["value", "value_compact"]
    )
    assert [(m["value"], m["value_compact"]) for m in left] == [("****", "ana@example.com")]


def test_the_email_that_tryton_shows(erp: Tryton) -> None:
    """Of several emails ours is the one that the party's own field shows: sequence, none first, then id."""
    made = party(erp, "Ana", "one@example.com", "two@example.com", "three@example.com")
    mechanisms = erp.search("party.contact_mechanism", [["party", "=", made]], ["value"])
    for sequences in ([2, 1, None], [None, None, 1], [3, 2, 1], [1, 1, 1]):
        for m, sequence in zip(mechanisms, sequences, strict=True):
            erp.client.model("party.contact_mechanism", "write", [m["id"]], {"sequence": sequence})
        (shown,) = erp.search("party.party", [["id", "=", made]], ["email"])
        assert rows(connector(erp).read())[str(made)]["email"] == shown["email"]


def test_the_email_of_a_given_name(erp: Tryton) -> None:
    """`email_name`: the club may keep the app's email beside others."""
    made = party(erp, "Ana", "home@example.com")
    app = {"party": made, "type": "email", "value": "app@example.com", "name": "App"}
    erp.client.model("party.contact_mechanism", "create", [app])
    assert rows(connector(erp).read())[str(made)]["email"] == "home@example.com"
    assert rows(connector(erp, email_name="App").read())[str(made)]["email"] == "app@example.com"
    other = rows(connector(erp, email_name="Work").read())
    assert other[str(made)]["email"] == "home@example.com"


def test_modified_at_follows_the_mechanism(erp: Tryton) -> None:
    """A new email moves the mechanism's stamp only; `modified_at` is the later of both."""
    made = party(erp, "Ana", "old@example.com")
    before = rows(connector(erp).read())[str(made)]["modified_at"]
    (mechanism,) = erp.search("party.contact_mechanism", [["party", "=", made]], ["value"])
    erp.client.model(
        "party.contact_mechanism", "write", [mechanism["id"]], {"value": "new@example.com"}
    )
    after = rows(connector(erp).read())[str(made)]
    assert after["email"] == "new@example.com"
    assert after["modified_at"] > before


def test_guardians_by_their_dates(erp: Tryton) -> None:
    """R3, R8: relations that are not on today (the club's day) are none; both directions are read."""
    make = erp.client.model
    child_of, parent_of = make(
        "party.relation.type", "create", [{"name": "Child of"}, {"name": "Parent of"}]
    )
    make("party.relation.type", "write", [child_of], {"reverse": parent_of})
    make("party.relation.type", "write", [parent_of], {"reverse": child_of})
    owner = party(erp, "Owner")
    a, b, c = party(erp, "A"), party(erp, "B"), party(erp, "C")

    # Tryton itself hides relations that have ended on its own, real, calendar
    now = datetime.now(UTC)

    def day(offset: int) -> dict[str, Any]:
        on = now.astimezone(CLUB.timezone).date() + timedelta(days=offset)
        return {"__class__": "date", "year": on.year, "month": on.month, "day": on.day}

    make(
        "party.relation.all",
        "create",
        [
            {"from_": a, "to": owner, "type": child_of, "end_date": day(0)},
            {"from_": b, "to": owner, "type": child_of, "end_date": day(-1)},
            {"from_": owner, "to": c, "type": parent_of},
        ],
    )
    reader = connector(erp, guardian_relation="Child of")
    reader.now = lambda: now
    found = rows(reader.read())
    assert {k: found[str(k)]["guardian_id"] for k in (a, b, c, owner)} == {
        a: str(owner),
        b: None,
        c: str(owner),
        owner: None,
    }
    assert all(r["guardian_id"] is None for r in rows(connector(erp).read()).values())
    with pytest.raises(SettingsWrong):
        connector(erp, guardian_relation="Pupil of").read()


def test_categories_below_others(erp: Tryton) -> None:
    """Two "Kids" under two parents are two groups of two names."""
    make = erp.client.model
    judo, yoga = make("party.category", "create", [{"name": "Judo"}, {"name": "Yoga"}])
    make(
        "party.category",
        "create",
        [{"name": "Kids", "parent": judo}, {"name": "Kids", "parent": yoga}],
    )
    names = set(connector(erp).read().groups["name"])
    assert names == {"Judo", "Yoga", "Judo / Kids", "Yoga / Kids"}


def test_only_customers(erp: Tryton) -> None:
    """`domain`: suppliers are parties too; total and rows are both of those who are meant."""
    (members,) = erp.client.model("party.category", "create", [{"name": "Members"}])
    ana = party(erp, "Ana", categories=[["add", [members]]])
    party(erp, "Electricity Ltd")
    reading = connector(erp, domain=[["categories.name", "=", "Members"]]).read()
    assert set(rows(reading)) == {str(ana)}
    assert reading.certificate.total == 1


class Between(TrytonConnector):
    """Lets something happen after every page."""

    happens: Any = None

    def _page(self, *args: Any, **kwargs: Any) -> Any:
        page = super()._page(*args, **kwargs)
        self.happens()
        return page


def reading_while(erp: Tryton, happens: Any) -> Any:
    read = connector(erp)
    between = Between(read.connection, TrytonSettings(page=2), CLUB, now=lambda: NOW)
    between.happens = happens
    return between.read()


def test_sign_ups_while_we_read(erp: Tryton) -> None:
    """R14: who comes after the beginning is not asked for, and makes nothing doubtful."""
    ids = {str(party(erp, f"P{i}")) for i in range(5)}
    reading = reading_while(erp, lambda: party(erp, "New"))
    assert reading.certificate.complete
    assert set(rows(reading)) == ids


def test_deletions_while_we_read(erp: Tryton) -> None:
    """R14: rows that go do not make others slip through, but the total no longer fits."""
    ids = [party(erp, f"P{i}") for i in range(6)]
    waiting = [ids[0], ids[5]]

    def delete() -> None:
        if waiting:
            erp.client.model("party.party", "delete", [waiting.pop()])

    reading = reading_while(erp, delete)
    assert not reading.certificate.complete
    assert set(rows(reading)) == {str(i) for i in ids[:5]}


def test_unknown_database(erp: Tryton) -> None:
    """Its own sentence: Tryton answers 404."""
    base = erp.url.rsplit("/", 1)[0]
    with pytest.raises(SettingsWrong, match="does not know this database"):
        connector(erp, url=f"{base}/nowhere").read()
    with pytest.raises(SettingsWrong, match="No Tryton database"):
        connector(erp, url=base).read()
    assert connector(erp, url=base, database="club").read().certificate.complete


def test_wrong_domain(erp: Tryton) -> None:
    """A domain that Tryton cannot follow fails with its remedy."""
    with pytest.raises(ErpUnreachable, match="setting domain"):
        connector(erp, domain=[["no_such_field", "=", 1]]).read()


def test_user_without_rights(erp: Tryton) -> None:
    """A log-in that may not read parties is refused as one, not taken for an empty club."""
    make = erp.client.model
    group, *_ = make("res.group", "create", [{"name": f"G{datetime.now(UTC).timestamp()}"}])
    granted = {"model": "party.party", "group": group, "perm_read": True}
    denied = {"model": "party.party", "group": None, "perm_read": False}
    made = make("ir.model.access", "create", [granted, denied])
    login = f"reader{group}"
    make("res.user", "create", [{"name": "R", "login": login, "password": "a-Long-passw0rd-x"}])
    try:
        read = connector(erp)
        read.connection = Connection("c", erp.url, login, "a-Long-passw0rd-x")
        with pytest.raises(CredentialsRefused):
            read.read()
    finally:
        make("ir.model.access", "delete", made)


def test_sessions_do_not_pile_up(erp: Tryton) -> None:
    """Every reading logs out again."""

    def sessions() -> int:
        (user,) = erp.search("res.user", [["login", "=", erp.login]], ["sessions"])
        return int(user["sessions"])

    before = sessions()
    assert before >= 1
    for _ in range(2):
        connector(erp).read()
        connector(erp).check()
    assert sessions() == before


def test_the_demo_s_club_comes_through(erp: Tryton) -> None:
    """What the feeder enters is what the connector reads, a day of changes later too."""
    world = World(5, [ClubSpec("dojo", "Dojo", 40)], NOW, events_per_hour=2)
    feeder = Feeder(world, "dojo", erp.client)
    feeder.catch_up(NOW)
    later = NOW + timedelta(hours=24)
    assert feeder.catch_up(later) > 0
    assert feeder.catch_up(later) == 0
    assert Feeder(world, "dojo", erp.client).catch_up(later) == 0
    reading = connector(erp, guardian_relation="Enfant de").read()
    assert reading.certificate.complete
    codes = {str(p["id"]): int(p["code"]) for p in erp.search("party.party", ANYONE, ["code"])}
    state = world.club("dojo", later)
    for erp_id, row in rows(reading).items():
        person = state.person(codes[erp_id])
        if person.replaced_by is None:
            assert (row["email"] or "").casefold() == (person.email or "").casefold()
            assert row["phone"] == person.phone
            assert row["status"] == ("archived" if person.status == "archived" else "active")
        else:
            assert codes[row["replaced_by"]] == person.replaced_by
