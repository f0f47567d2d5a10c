"""The Tryton connector against a real Tryton 8.2: what its module says was seen, seen again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.responses import JSONResponse

from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import (
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    SettingsWrong,
)
from connectors.sdk.http import Http, HttpLimits
from connectors.sdk.model import Reading
from connectors.tryton import TrytonConnector, TrytonSettings
from connectors.tryton.queries import Domain, Queries
from connectors.tryton.records import RecordPage
from connectors.tryton.rest import Rest
from sandbox.tryton import Feeder, TrytonError
from sandbox.world import ClubSpec, World
from tests.support.api import Api, Asked
from tests.support.tryton import ANYONE, Tryton, tryton

__all__ = ["tryton"]

CLUB = Club("dojo", ZoneInfo("Europe/Paris"), "FR")
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.fixture
def erp(tryton: Tryton) -> Tryton:
    """An empty Tryton."""
    tryton.clear()
    return tryton


def connector(
    erp: Tryton, url: str | None = None, since: datetime | None = None, **settings: object
) -> TrytonConnector:
    return TrytonConnector(
        Connection("c", url or erp.url, erp.login, erp.password),
        TrytonSettings(**{"http": HttpLimits(attempts=1), **settings}),
        CLUB,
        now=lambda: NOW,
        since=since,
    )


def over_rest(
    erp: Tryton,
    key: str,
    url: str | None = None,
    since: datetime | None = None,
    **settings: object,
) -> TrytonConnector:
    made = connector(erp, url, since, protocol="rest", **settings)
    made.connection = Connection("c", url or erp.url, None, key)
    return made


def party(erp: Tryton, name: str | None, *emails: str, **values: object) -> int:
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

    happens: Callable[[], object]

    def _page(self, queries: Queries, domain: Domain, relation: int | None) -> RecordPage:
        page = super()._page(queries, domain, relation)
        self.happens()
        return page


def reading_while(erp: Tryton, happens: Callable[[], object]) -> Reading:
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
    with pytest.raises(SettingsWrong, match="has no such database"):
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


def test_a_domain_with_brackets_hides_nobody(erp: Tryton) -> None:
    """Tryton hides inactive records again in each part of a domain, unless the context says otherwise."""
    gone = party(erp, "Ana", "ana@example.com")
    erp.client.model("party.party", "write", [gone], {"active": False})
    domain = ["OR", [["name", "=", "Ana"]], [["name", "=", "Bob"]]]
    assert erp.search("party.party", [domain, *ANYONE], []) == []
    party(erp, "Zoe", "zoe@example.com")
    for chosen in ([domain], domain):
        reading = connector(erp, domain=chosen).read()
        assert {k: r["status"] for k, r in rows(reading).items()} == {str(gone): "archived"}
        assert reading.certificate.complete


# Changes -----------------------------------------------------------------------------------------


def stamp(erp: Tryton, *ids: int) -> datetime:
    """A moment after everything that these parties and their mechanisms bear a stamp of."""
    seen = rows(connector(erp).read())
    latest: list[datetime] = [row["modified_at"] or row["created_at"] for row in seen.values()]
    assert len(seen) >= len(ids)
    return max(latest) + timedelta(microseconds=1)


def changed(erp: Tryton, since: datetime, **settings: object) -> set[str]:
    """Who is among the changes."""
    reading = connector(erp, None, since, changes=True, **{"overlap": 0, **settings}).read()
    assert reading.since == since
    assert not reading.certificate.complete
    return set(reading.customers["erp_id"])


def test_changes_of_a_party_or_of_its_mechanisms(erp: Tryton) -> None:
    """Both bear stamps of their own: a new email moves its mechanism's alone."""
    write = erp.client.model
    ana, bob, zoe = (party(erp, n, f"{n}@example.com") for n in ("ana", "bob", "zoe"))
    since = stamp(erp, ana, bob, zoe)
    assert changed(erp, since) == set()
    (email,) = erp.search("party.contact_mechanism", [["party", "=", ana]], [])
    write("party.contact_mechanism", "write", [email["id"]], {"value": "new@example.com"})
    assert changed(erp, since) == {str(ana)}
    write("party.party", "write", [bob], {"active": False})
    assert changed(erp, since) == {str(ana), str(bob)}
    (email,) = erp.search("party.contact_mechanism", [["party", "=", zoe]], [])
    write("party.contact_mechanism", "write", [email["id"]], {"active": False})
    assert changed(erp, since) == {str(ana), str(bob), str(zoe)}


def test_changes_are_new_parties_and_given_categories_too(erp: Tryton) -> None:
    """What is new bears no stamp of writing; a category that a party is given moves the party's."""
    (gold,) = erp.client.model("party.category", "create", [{"name": "Gold"}])
    ana, bob = party(erp, "Ana", "ana@example.com"), party(erp, "Bob", "bob@example.com")
    since = stamp(erp, ana, bob)
    new = party(erp, "Zoe", "zoe@example.com")
    erp.client.model("party.party", "write", [bob], {"categories": [["add", [gold]]]})
    assert changed(erp, since) == {str(new), str(bob)}


def test_changes_of_a_merge(erp: Tryton) -> None:
    """Stated by the party that is replaced, as soon as it is (R10)."""
    stays, goes = party(erp, "Ana", "ana@example.com"), party(erp, "Ana", "ana.old@example.com")
    since = stamp(erp, stays, goes)
    erp.client.wizard("party.replace", {"source": goes, "destination": stays}, "replace")
    reading = connector(erp, since=since, changes=True, overlap=0).read()
    assert rows(reading)[str(goes)]["replaced_by"] == str(stays)


def test_changes_that_were_committed_late(erp: Tryton) -> None:
    """A stamp is the time at which its transaction began: changes are asked for from earlier on."""
    ana = party(erp, "Ana", "ana@example.com")
    began = rows(connector(erp).read())[str(ana)]["modified_at"]
    read_meanwhile = began + timedelta(minutes=5)
    assert changed(erp, read_meanwhile) == set()
    assert changed(erp, read_meanwhile, overlap=600) == {str(ana)}


def test_changes_only_where_the_club_has_chosen_so(erp: Tryton) -> None:
    party(erp, "Ana")
    assert connector(erp, since=NOW).read().certificate.complete
    assert connector(erp, since=NOW, changes=True).read(full=True).certificate.complete


# REST --------------------------------------------------------------------------------------------


def test_rest_reads_what_json_rpc_reads(erp: Tryton) -> None:
    """Parties, categories, guardians, merges and erasures; also what changed; in several pages."""
    make = erp.client.model
    (gold,) = make("party.category", "create", [{"name": "Gold"}])
    (child_of,) = make("party.relation.type", "create", [{"name": "Child of"}])
    owner = party(erp, "Ana Ruiz", "ana@example.com", categories=[["add", [gold]]])
    child, goes, erased = (
        party(erp, "Zoé Ruiz"),
        party(erp, "Ana Ruiz"),
        party(erp, "Bob", "b@example.com"),
    )
    make("party.relation.all", "create", [{"from_": child, "to": owner, "type": child_of}])
    erp.client.wizard("party.replace", {"source": goes, "destination": owner}, "replace")
    make("party.party", "write", [erased], {"active": False})
    erp.client.wizard("party.erase", {"party": erased}, "erase")
    options: dict[str, Any] = {"page": 2, "guardian_relation": "Child of"}
    key = erp.application_key()
    one = connector(erp, **options).read()
    other = over_rest(erp, key, **options).read()
    assert one.certificate.complete
    assert other.certificate == one.certificate
    assert other.customers.equals(one.customers)
    assert other.groups.equals(one.groups)
    assert rows(other)[str(child)]["guardian_id"] == str(owner)
    assert over_rest(erp, key, **options).check() == connector(erp, **options).check()
    later = stamp(erp, owner, child)
    make("party.party", "write", [child], {"name": "Zoé R."})
    delta = over_rest(erp, key, since=later, changes=True, overlap=0).read()
    shown = set(delta.customers["erp_id"])
    assert str(child) in shown
    assert str(owner) not in shown


def test_a_key_that_nobody_has_validated_is_refused(erp: Tryton) -> None:
    """As Tryton gives it: requested, until an administrator says yes."""
    key = erp.application_key(validated=False)
    with pytest.raises(CredentialsRefused):
        over_rest(erp, key).read()
    with pytest.raises(SettingsWrong, match="key"):
        over_rest(erp, "").read()


def test_rest_with_more_ids_than_an_address_takes(
    erp: Tryton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hangs on a page of parties is asked for in parts."""
    for n in range(5):
        party(erp, f"P{n}", f"p{n}@example.com")
    monkeypatch.setattr("connectors.tryton.rest.Rest.most_ids", 2)
    reading = over_rest(erp, erp.application_key()).read()
    assert sorted(reading.customers["email"]) == [f"p{n}@example.com" for n in range(5)]


def test_rest_counts_on_where_the_server_stops(erp: Tryton, written: Api) -> None:
    """Beyond ten times what was asked for it says `*`."""

    def records(asked: Asked) -> object:
        wanted = asked.headers.get("range")
        if wanted is None:
            return [{"id": 3}]
        return JSONResponse([{"id": 3}], headers={"Content-Range": totals.pop(0)})

    written.answers["/club/rest/model/party.party"] = records
    asking = Rest(Http(f"{written.url}/club", "Tryton", HttpLimits(), now=lambda: NOW))
    totals = ["records 0-100/*", "records 0-1000/*", "records 0-10000/23456"]
    assert asking.count("party.party", []) == 23456
    ranges = [a.headers["range"] for a in written.asked]
    assert ranges == ["records=0-100", "records=0-1000", "records=0-10000"]
    for said in ("", "records 0-1/x"):
        totals = [said]
        with pytest.raises(ContractChanged, match="how many"):
            asking.count("party.party", [])
