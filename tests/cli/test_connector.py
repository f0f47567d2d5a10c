"""`clubsync connector`: settings are tried, nothing is stored, and nobody's data is shown unasked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from typer.testing import CliRunner, Result

from clubsync.cli import app
from clubsync.errors import ConfigError
from clubsync.operate.tryout import _is_used, masked
from connectors.registry import CONNECTORS
from connectors.sdk.errors import ConnectorError
from sandbox.courtside import Place, create_app
from tests.support.servers import serving

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "rest-courtside.yaml"


def person(no: int, **more: object) -> dict[str, Any]:
    return {
        "no": no,
        "names": {"given": "Ana", "family": f"Ruiz{no}"},
        "mail": f"ana{no}@example.com",
        "mobile": "+33612345678",
        "state": "member",
        "head_of_family": None,
        "merged_into": None,
        "joined": 1_790_000_000,
        "touched": 1_790_000_000,
        "bank": {"iban": "FR76"},
        **more,
    }


@pytest.fixture
def squash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A Courtside of five people, and the guide's example as a file."""
    place = Place(
        "me",
        "s3cret",
        people=[
            person(1),
            person(2, state="left"),
            person(3, state="hibernating"),
            person(4, mail=None),
            person(5, mail="ana1@example.com"),
        ],
        passes=[
            {"id": 1, "person": 1, "plan": "g", "first_day": None, "last_day": "2099-01-01"},
            {"id": 2, "person": 5, "plan": "x", "first_day": None, "last_day": None},
        ],
        plans=[{"code": "g", "title": "Gold", "sold": True}],
    )
    with serving(create_app({"lyon": place})) as url:
        connection = {"conn_type": "x", "host": f"{url}/lyon", "login": "me", "password": "s3cret"}
        monkeypatch.setenv("AIRFLOW_CONN_SQUASH_LYON", json.dumps(connection))
        monkeypatch.setenv("CLUBSYNC_DATABASE", "postgresql://nobody:nothing@127.0.0.1:1/none")
        monkeypatch.setenv("CLUBSYNC_SNAPSHOTS", str(tmp_path / "snapshots"))
        file = tmp_path / "squash-lyon.yaml"
        shutil.copy(EXAMPLE, file)
        yield file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["connector", *map(str, arguments)])


def test_try_shows_what_the_sync_would_make_of_it(squash: Path, tmp_path: Path) -> None:
    """Status, groups, access and why; what was not used; and no data base is needed for it."""
    done = run("try", squash, "--json")
    assert done.exit_code == 0, done.output
    tried = json.loads(done.stdout)
    assert (tried["certified"], tried["rows"], tried["total"]) == (True, 5, 5)
    assert {r["erp_id"]: (r["access"], r["why"]) for r in tried["records"]} == {
        "1": ("yes", None),
        "2": ("no", "former"),
        "3": ("unknown", "unknown status"),
        "4": ("unknown", "email missing"),
        "5": ("unknown", "unknown group"),
    }
    assert tried["records"][0]["groups"] == ["Gold until 2099-01-01"]
    assert tried["records"][4]["groups"] == ["x (not in the ERP's list)"]
    assert tried["groups"] == [
        {
            "id": "g",
            "name": "Gold",
            "active": True,
            "held_by": 1,
            "access": "yes",
            "feeds": "Gold",
        }
    ]
    assert tried["unlisted_groups"] == [{"id": "x", "held_by": 1}]
    assert tried["statuses"] == {"active": 3, "former": 1, "unknown": 1}
    assert tried["unused"] == ["bank.iban"]
    assert list(tmp_path.iterdir()) == [squash]


def test_the_rules_go_to_the_end(
    squash: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R2, R3, R7, R8, R14: duplicates, families, placeholder emails, merges and groups that matter, as a first sync
    would have them; and each word and group with what it means."""
    place = Place(
        "me",
        "s3cret",
        people=[
            person(1),
            person(2, mail="ANA1@example.com", joined=1_700_000_000),
            person(3, mail=None, head_of_family=1),
            person(4, mail="sansmail@example.org"),
            person(5, merged_into=1, mail="old@club.fr"),
            person(6, mail="six@club.fr", state="on break"),
            person(7, mail="seven@club.fr"),
            person(8, mail="eight@club.fr"),
            person(9, mail="nine@club.fr"),
            *(person(n, mail=f"n{n}@club.fr", state="left") for n in (10, 11, 12)),
        ],
        passes=[
            {"id": n, "person": n, "plan": plan, "first_day": None, "last_day": None}
            for n, plan in ((1, "g"), (2, "g"), (3, "g"), (6, "g"), (7, "a"), (8, "o"), (9, "p"))
        ],
        plans=[
            {"code": "g", "title": "Gold", "sold": True},
            {"code": "a", "title": "Anciens", "sold": True},
            {"code": "o", "title": "Old", "sold": False},
            {"code": "p", "title": "Pool", "sold": None},
        ],
    )
    extra = (
        "former_groups: [anciens]\naccess_statuses: [active, paused, archived]\n"
        "automatic_groups: {Gold: Members}\nplaceholder_emails: ['nobody@club.fr']\n"
    )
    squash.write_text(squash.read_text() + extra)
    with serving(create_app({"lyon": place})) as url:
        connection = {"conn_type": "x", "host": f"{url}/lyon", "login": "me", "password": "s3cret"}
        monkeypatch.setenv("AIRFLOW_CONN_SQUASH_LYON", json.dumps(connection))
        tried = json.loads(run("try", squash, "--json", "--first", "20").stdout)
        said = run("try", squash).output
    got = {r["erp_id"]: (r["access"], r["situation"], r["why"]) for r in tried["records"]}
    assert got["1"] == ("no", "duplicate", "2 has the same email and gets access")
    assert got["2"] == ("yes", "new", None)
    assert got["3"] == ("no", "dependant", "family member of 1")
    assert got["4"][0] == "unknown"
    assert got["4"][2] == "email placeholder"
    assert got["5"][1:] == ("merged", "merged into 1")
    assert got["6"] == ("yes", "new", None)
    assert (got["7"][0], got["8"][0], got["9"][0]) == ("no", "no", "unknown")
    assert tried["access"] == {"no": 8, "unknown": 2, "yes": 2}
    assert tried["situations"]["duplicate"] == 1
    assert tried["findings"]["EMAIL_DUPLICATE"] == 2
    assert tried["findings"]["EMAIL_PLACEHOLDER"] == 1
    words = {(w["place"], w["word"], w["count"], w["meaning"], w["access"]) for w in tried["words"]}
    assert words == {
        ("state", "member", 8, "active", "yes"),
        ("state", "left", 3, "former", "no"),
        ("state", "on break", 1, "paused", "yes"),
        ("sold", "true", 2, "active", "yes"),
        ("sold", "false", 1, "inactive", "no"),
        ("sold", None, 1, "unknown", "unknown"),
    }
    groups = {g["id"]: (g["held_by"], g["access"], g["feeds"]) for g in tried["groups"]}
    assert groups == {
        "g": (4, "yes", "Members"),
        "a": (1, "no", None),
        "o": (1, "no", None),
        "p": (1, "unknown", "Pool"),
    }
    assert tried["unmatched"] == {
        "settings.status.former": ["merged"],
        "settings.status.archived": ["archived"],
        "access_statuses": ["archived"],
        "placeholder_emails": ["nobody@club.fr"],
    }
    assert "settings.status.former matches nothing that was read: merged." in said
    assert any("second reading" in one for one in tried["not_proved"]) is (
        not tried["certified"] or tried["pages"] > 1
    )


def test_what_is_not_proved_is_told(squash: Path) -> None:
    """R14: why, and what would prove it."""
    text = squash.read_text().replace("    total: of\n", "")
    old = (
        'paging: {kind: keyset, param: after, at: "no", size: 100, size_param: count}\n    changes'
    )
    assert old in text
    paging = "paging: {kind: cursor, param: after, at: next}\n    changes"
    squash.write_text(text.replace(old, paging))
    tried = json.loads(run("try", squash, "--json").stdout)
    assert not tried["certified"]
    assert tried["not_proved"][0] in tried["doubts"]
    assert "nobody loses access for being missing" in " ".join(tried["not_proved"])


def test_what_only_decides_is_used_too(squash: Path) -> None:
    """A path of `status.unless` becomes no field, and without it somebody would have another status."""
    text = squash.read_text()
    assert "    at: state\n" in text
    unless = '    unless: [{at: bank.iban, is: ["FR76"], means: paused}]\n'
    squash.write_text(text.replace("    at: state\n", f"    at: state\n{unless}"))
    tried = json.loads(run("try", squash, "--json").stdout)
    assert tried["statuses"] == {"paused": 5}
    assert tried["unused"] == []


def test_people_are_masked_unless_asked_for(squash: Path) -> None:
    said = run("try", squash).output + run("try", squash, "--json").output
    for hidden in ("Ruiz", "ana1@", "example.com", "612345678", "hibernating"):
        assert hidden not in said
    assert "Fields that no setting uses: bank.iban." in said
    assert "Nothing was stored." in said
    shown = run("try", squash, "--show", "--json").output
    assert "ana1@example.com" in shown
    assert "hibernating" in shown


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("ana@example.com", "a…@e….com"),
        ("Ana Ruiz", "A… R…"),
        ("+33612345678", "+33…"),
        ("0612345678", "0…"),
        (None, None),
    ],
)
def test_masked(value: str | None, form: str | None) -> None:
    assert masked(value) == form


def test_first_says_how_many(squash: Path) -> None:
    assert len(json.loads(run("try", squash, "--json", "--first", "2").stdout)["records"]) == 2


def test_a_club_of_a_clubs_yaml(squash: Path, tmp_path: Path) -> None:
    """The entry stands in a clubs.yaml already: which club is asked for, where there are several."""
    entry = "".join(f"    {line}\n" for line in squash.read_text().splitlines())
    both = tmp_path / "clubs.yaml"
    both.write_text(f"clubs:\n  -\n{entry}  - {{id: b, name: B, erp: csv, connection: b}}\n")
    assert json.loads(run("try", both, "--club", "squash-lyon", "--json").stdout)["rows"] == 5
    undecided = run("try", both)
    assert isinstance(undecided.exception, ConfigError)
    assert "2 clubs" in str(undecided.exception)


def test_what_is_wrong_is_said(squash: Path) -> None:
    """A setting that does not exist by its line; one that does not fit by its name."""
    text = squash.read_text()
    squash.write_text(text + "emial: x\n")
    assert "squash-lyon.yaml, line 70, the club: unknown setting `emial`" in str(
        run("try", squash).exception
    )
    squash.write_text(text.replace("email: mail", "email: e_mail"))
    failed = run("try", squash)
    assert isinstance(failed.exception, ConnectorError)
    assert "settings: fields.email" in str(failed.exception)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"feilds": {}}, "settings: unknown setting `feilds`; did you mean `fields`?"),
        (
            {"auth": {"kind": "basic", "pasword": ""}},
            "settings.auth: unknown setting `pasword`; did you mean `password`?",
        ),
        ({"auth": {"kind": "basci"}}, "settings.auth.kind: has to be one of"),
        ({"auth": {"kind": "basci"}}, "did you mean `basic`?"),
        ({"auth": {"type": "basic"}}, "settings: auth.kind is required"),
        (
            {"customers": {"path": "/m", "paging": {"kind": "page", "sise": 5}}},
            "settings.customers.paging: unknown setting `sise`; did you mean `size`?",
        ),
        (
            {"groups": {"held": {"at": "x", "untl": "y"}}},
            "settings.groups.held: unknown setting `untl`; did you mean `until`?",
        ),
        (
            {"status": {"unless": [{"at": "x", "is": ["y"], "means": "formr"}]}},
            "did you mean `former`?",
        ),
        (
            {"status": {"unless": [{"at": "x", "is": ["y"], "means": "former", "absnt": 1}]}},
            "settings.status.unless.0: unknown setting `absnt`; did you mean `absent`?",
        ),
    ],
)
def test_an_unknown_setting_names_the_nearest_one(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    """At any depth, of one kind of several, and in a list; and where the settings are explained."""
    file = tmp_path / "club.yaml"
    whole = {"customers": {"path": "/m"}, "fields": {"id": "id"}, **settings}
    file.write_text(json.dumps({"erp": "rest", "settings": whole}))
    error = run("try", file).exception
    assert isinstance(error, ConfigError)
    assert told in str(error)
    assert "?." not in str(error)
    assert "docs/settings/rest.md explains every setting" in str(error)


def test_the_erps_own_words_of_an_error(
    squash: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """R19: only where they are asked for, as text, and in no message and no log."""
    caplog.set_level("DEBUG")
    answer = {"error": "No site 7 for Ana Ruiz\x1b[31m[red]", "hint": "site\nid"}
    erp = Starlette(
        routes=[Route("/{rest:path}", lambda _: JSONResponse(answer, 422), methods=["GET", "POST"])]
    )
    with serving(erp) as url:
        connection = {"conn_type": "x", "host": url, "login": "me", "password": "s3cret"}
        monkeypatch.setenv("AIRFLOW_CONN_SQUASH_LYON", json.dumps(connection))
        text = squash.read_text()
        start, end = text.index("  auth:"), text.index("  # Its errors")
        squash.write_text(text[:start] + text[end:])
        hidden, shown = run("try", squash), run("try", squash, "--show")
    assert "What the ERP said (HTTP 422): not shown" in hidden.output
    assert "Ana" not in hidden.output
    assert "No site 7 for Ana Ruiz" in shown.output
    assert "[red]" in shown.output
    assert "\x1b" not in shown.output
    assert "Ana" not in str(shown.exception) + caplog.text


@pytest.mark.parametrize(
    ("column", "path", "used"),
    [
        ("mail", "mail", True),
        ("mail", "email", False),
        ("contact.mail", "contact", True),
        ("contact.mail", "contact.phone", False),
        ("phones", "phones.0", True),
        ("emails[].value", "emails.0.value", True),
        ("emails[].value", "emails[?main].value | [0]", True),
        ("emails_old", "emails[0]", False),
    ],
)
def test_what_is_used(column: str, path: str, used: bool) -> None:
    assert _is_used(column, {path}) is used


def test_list() -> None:
    """Every connector, with the settings it needs."""
    rows = json.loads(run("list", "--json").stdout)
    assert [row["connector"] for row in rows] == sorted(CONNECTORS)
    rest = next(row for row in rows if row["connector"] == "rest")
    assert {"customers*", "fields*", "auth"} <= set(rest["settings"])
    assert "JSON API" in run("list").output


def test_a_club_of_a_chain_is_tried_with_its_own_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R29: those of the other clubs are counted, and nobody of them would be added."""
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "clients.csv").write_text(
        "Id;Email;Salle\n1;a@club.fr;Annecy\n2;b@club.fr;Lyon\n3;c@club.fr;annecy\n4;d@club.fr;\n"
    )
    monkeypatch.setenv(
        "AIRFLOW_CONN_CHAIN", json.dumps({"conn_type": "clubsync_csv", "host": drop.as_uri()})
    )
    club = {
        "id": "annecy",
        "erp": "csv",
        "connection": "chain",
        "members": {"at": "Salle", "is": ["Annecy"]},
        "settings": {"customers": "clients.csv", "fields": {"id": "Id", "email": "Email"}},
    }
    file = tmp_path / "annecy.yaml"
    file.write_text(json.dumps(club))
    tried = json.loads(run("try", file, "--json").stdout)
    assert [record["erp_id"] for record in tried["records"]] == ["1", "3"]
    assert tried["access"] == {"yes": 2}
    assert tried["others"] == 2


def _csv(folder: Path, monkeypatch: pytest.MonkeyPatch, rows: str, **club: object) -> Any:
    """What a try says of a file with columns Id, Email, Salle, Fin."""
    (folder / "drop").mkdir()
    (folder / "drop" / "clients.csv").write_text(f"Id;Email;Salle;Fin\n{rows}")
    host = (folder / "drop").as_uri()
    connection = json.dumps({"conn_type": "clubsync_csv", "host": host})
    monkeypatch.setenv("AIRFLOW_CONN_CHAIN", connection)
    fields = {"id": "Id", "email": "Email", "valid_until": "Fin"}
    settings = {"customers": "clients.csv", "fields": fields}
    file = folder / "club.yaml"
    file.write_text(
        json.dumps(
            {"id": "annecy", "erp": "csv", "connection": "chain", "settings": settings, **club}
        )
    )
    done = run("try", file, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_words_for_clubs_that_nothing_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R29: a misspelt club would have no records, and its people would be of no club."""
    rows = "1;a@club.fr;ANNECY;\n2;b@club.fr;Lyon;\n3;c@club.fr;;\n"
    members = {
        "at": "Salle",
        "is": ["Annecy", "Annecy Nord"],
        "elsewhere": ["lyon", "Dijon"],
    }
    tried = _csv(tmp_path, monkeypatch, rows, members=members)
    assert tried["unmatched"] == {"members.is": ["Annecy Nord"], "members.elsewhere": ["Dijon"]}


def test_the_word_for_records_that_name_no_club(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "1;a@club.fr;Annecy;\n2;b@club.fr;Lyon;\n"
    members = {"at": "Salle", "is": ["Annecy", ""], "elsewhere": ["Lyon"]}
    assert _csv(tmp_path, monkeypatch, rows, members=members)["unmatched"] == {"members.is": [""]}


def test_words_for_never_that_nothing_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R3: words and days, however they are written; those that always mean it need no match."""
    rows = "1;a@club.fr;;Tant Que Club\n2;b@club.fr;;31/12/2050\n3;c@club.fr;;2040-12-31\n4;d@club.fr;;\n"
    no_end = [
        "tant  que club",
        "fin du club",
        "2050-12-31",
        "31/12/2040",
        "31/12/2060",
        "unlimited",
    ]
    tried = _csv(tmp_path, monkeypatch, rows, no_end=no_end)
    assert tried["unmatched"] == {"no_end": ["fin du club", "31/12/2060"]}
    assert [record["until"] for record in tried["records"]] == [None] * 4
