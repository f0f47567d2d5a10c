"""R31: a club learns by itself what to fix."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from pydantic import ValidationError
from ruamel.yaml import YAML

from clubsync.config import ClubConfig, Config, Contact, load_config
from clubsync.errors import ConfigError, ConnectionMissing
from clubsync.manual import erasure, lifecycle
from clubsync.operate import freshness
from clubsync.operate.digests import outbox
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection
from tests.support.club import Club
from tests.support.post import Post, mail_server
from tests.support.rules import NewClub
from tests.support.tls import self_signed

URL = "https://airflow.example"
TO = "accueil@club.example"


@dataclass
class Desk:
    """A club with a contact, and the mail server that its digests go through."""

    club: Club
    post: Post
    connection: Connection

    def resolve(self, conn_id: str) -> Connection:
        if conn_id != "clubsync_mail":
            raise ConnectionMissing(f"There is no connection {conn_id!r}.", remedy="Add it.")
        return self.connection

    def look(self) -> list[EmailMessage]:
        """One look of upkeep; the mails that came of it."""
        before = len(self.post.mails)
        self.states = outbox.send_due(
            self.club._base, Config(clubs=(self.club.config,)), self.resolve, URL
        )
        return self.post.mails[before:]

    def tomorrow(self) -> None:
        day = self.club.now.date().toordinal() + 1
        self.club.at(f"{self.club.now.date().fromordinal(day)}T09:00")

    def contact(self, **fields: Any) -> None:
        self.club.configure(contact=Contact(**{"to": (TO,), **fields}))


@pytest.fixture
def post(unused_port: int) -> Iterator[Post]:
    with mail_server(unused_port) as served:
        yield served


@pytest.fixture
def desk(club: Club, post: Post) -> Iterator[Desk]:
    desk = Desk(club, post, post.connection())
    desk.contact()
    yield desk
    # no incident is left open for other tests
    club.configure(contact=None)
    desk.look()
    told(desk)


def told(desk: Desk) -> list[str]:
    """What an alert says of the club's digests; it is marked as sent."""
    found = freshness.watch(desk.club._base, Config(clubs=(desk.club.config,)))
    for one in found:
        freshness.mark_sent(desk.club._base, one)
    return [m.body for m in found if "digest" in m.title and desk.club.id in m.body]


def text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def sections(mail: EmailMessage) -> dict[str, list[tuple[int, str]]]:
    """Heading -> number and sentence of each thing to do."""
    found: dict[str, list[tuple[int, str]]] = {}
    for block in re.split(r"^== ", text(mail).split("\n--\n")[0], flags=re.MULTILINE)[1:]:
        heading, _, rest = block.partition(" ==\n")
        found[heading] = [
            (int(n), said) for n, said in re.findall(r"^(\d+)  (.*)$", rest, re.MULTILINE)
        ]
    return found


# --- what it tells -----------------------------------------------------------------------------


def test_r31_new_still_open_and_fixed_since_the_last_one(desk: Desk) -> None:
    desk.club.erp.put("1", None)
    desk.club.erp.put("2", "not an email")
    desk.club.sync()
    (first,) = desk.look()
    assert first["Subject"] == "Club: 2 records to fix"
    assert list(sections(first)) == ["To fix in the ERP"]
    assert (first["To"], first["From"]) == (TO, "lists@sync.example")
    desk.tomorrow()
    desk.club.erp.put("1", "a@x.fr")
    desk.club.erp.put("3", None)
    desk.club.erp.put("4", None)
    desk.club.sync()
    (second,) = desk.look()
    assert second["Subject"] == "Club: 2 new findings, 1 fixed, 1 still to fix"
    counts = {heading: [n for n, _ in rows] for heading, rows in sections(second).items()}
    assert counts == {
        "New": [2],
        "Fixed since the last message": [1],
        "Still to fix in the ERP": [1],
    }
    assert f"{URL}/plugin/clubs/clubsync/pages/clubs/{desk.club.id}/findings" in html(second)


def test_r31_at_most_once_a_day_and_only_when_something_changed(desk: Desk) -> None:
    desk.club.erp.put("1", None)
    desk.club.sync()
    assert len(desk.look()) == 1
    desk.club.erp.put("2", None)
    desk.club.sync()
    assert desk.look() == [], "there was one today"
    desk.tomorrow()
    assert len(desk.look()) == 1
    desk.tomorrow()
    assert desk.look() == [], "nothing has changed"
    desk.club.erp.put("3", None)
    desk.club.sync()
    assert desk.look() == [], "its hour has passed: tomorrow's tells it"
    desk.tomorrow()
    assert len(desk.look()) == 1


def test_r31_its_hour_is_on_the_clubs_own_clock(desk: Desk) -> None:
    desk.club.configure(timezone="America/Montreal")
    desk.contact(at="07:30")
    desk.club.erp.put("1", None)
    desk.club.sync()  # 10:05 UTC is 05:05 in Montréal
    assert desk.look() == []
    desk.club.at("2026-03-02T12:29")
    assert desk.look() == []
    desk.club.at("2026-03-02T12:30")
    assert len(desk.look()) == 1


def test_r31_who_opens_again_is_still_open_and_who_came_and_went_is_not_told(desk: Desk) -> None:
    """Both closed and opened in between, or opened and closed."""
    desk.club.erp.put("1", None)
    desk.club.erp.put("2", "b@x.fr")
    desk.club.sync()
    desk.look()
    desk.tomorrow()
    for emails in (("a@x.fr", None), (None, "b@x.fr")):
        desk.club.erp.put("1", emails[0])
        desk.club.erp.put("2", emails[1])
        desk.club.sync()
    assert desk.look() == []
    desk.tomorrow()
    desk.club.erp.put("1", "a@x.fr")
    desk.club.sync()
    (mail,) = desk.look()
    assert mail["Subject"] == "Club: 1 fixed"


def test_r31_an_erased_person_is_in_none(desk: Desk, tmp_path: Path) -> None:
    """R20: neither as fixed nor as open; nor in what is stored."""
    desk.contact(names=True)
    for n in ("1", "2"):
        desk.club.erp.put(n, None, first_name=f"Erased{n}")
    desk.club.sync()
    desk.look()
    store = Store(str(tmp_path / "snapshots"), base=desk.club._base)
    erasure.erase(desk.club._base, store, desk.club.config, "1")
    stored = "select erp_id from sync.digest_item where club = %s"
    assert desk.club.rows(stored, desk.club.number) == [("2",)]
    desk.tomorrow()
    desk.club.erp.change("2", email="b@x.fr")
    desk.club.sync()
    (mail,) = desk.look()
    assert "Erased2" in text(mail)
    assert "Erased1" not in mail.as_string()
    assert mail["Subject"] == "Club: 1 fixed"


def test_r31_nothing_is_fixed_by_moving_to_another_erp(desk: Desk) -> None:
    desk.club.erp.put("1", None)
    desk.club.sync()
    desk.look()
    lifecycle.move(desk.club._base, desk.club.config)
    desk.tomorrow()
    assert desk.look() == []


def test_r31_what_is_ours_to_fix_is_left_out(desk: Desk) -> None:
    """A group that clubs.yaml names and the ERP does not have."""
    desk.club.configure(former_groups=["Anciens"])
    desk.club.erp.group("gold")
    desk.club.erp.put("1", "a@x.fr", groups=["gold"])
    desk.club.sync()
    assert desk.club.findings() == {"": {"GROUP_UNKNOWN"}}
    assert desk.look() == []


# --- its words ---------------------------------------------------------------------------------


def test_r31_in_the_clubs_language(desk: Desk) -> None:
    desk.club.configure(language="fr")
    desk.contact(names=True)
    desk.club.erp.put("1", None, first_name="Zoé", last_name="D'Été")
    desk.club.sync()
    (mail,) = desk.look()
    assert mail["Subject"] == "Club : 1 fiche à corriger"
    assert '<html lang="fr">' in html(mail)
    assert "Ce client n'a pas d'adresse e-mail dans le logiciel." in text(mail)
    assert "Zoé D'Été (1), 02/03/2026" in text(mail)
    assert "Zoé D&#39;Été" in html(mail)


@pytest.mark.parametrize("names", [True, False])
def test_r31_names_only_where_the_club_chose_so(desk: Desk, names: bool) -> None:
    desk.contact(names=names)
    desk.club.erp.put("77", "not an email", first_name="Quentin", last_name="Quire")
    desk.club.sync()
    (mail,) = desk.look()
    whole = text(mail) + html(mail) + str(mail["Subject"])
    assert ("Quire" in whole, "not an email" in whole, "77" in whole) == (names, names, names)


def test_r31_what_an_erp_wrote_is_text(desk: Desk) -> None:
    """R19: no markup, no control characters, no header of its own."""
    desk.contact(names=True)
    desk.club.erp.put(
        "1", "x\r\nBcc: all@x.fr", first_name="<b>Bo</b>", last_name="\u202eDurand\x1b[1m"
    )
    desk.club.sync()
    (mail,) = desk.look()
    assert "<b>" not in html(mail)
    assert "&lt;b&gt;Bo&lt;/b&gt;" in html(mail)
    assert not {"\x1b", "\u202e"} & set(text(mail) + html(mail))
    assert mail["Bcc"] is None
    assert desk.post.recipients == [[TO]]


def test_r31_a_clubs_name_ends_no_header(desk: Desk) -> None:
    desk.club.erp.put("1", None)
    desk.club.sync()
    named = desk.club.config.model_copy(update={"name": "Club\r\nBcc: all@x.fr"})
    outbox.send_due(desk.club._base, Config(clubs=(named,)), desk.resolve, URL)
    (mail,) = desk.post.mails
    assert mail["Bcc"] is None
    assert "Bcc: all@x.fr" in mail["Subject"]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "link", "nothing"])
def test_r31_the_list_is_attached_as_the_club_chooses(desk: Desk, kind: str) -> None:
    desk.contact(names=True, attach=kind)
    desk.club.erp.put("1", None, last_name="Quire")
    desk.club.sync()
    (mail,) = desk.look()
    files = {part.get_filename(): part.get_content() for part in mail.iter_attachments()}
    assert (URL in html(mail)) == (kind != "nothing")
    if kind in ("link", "nothing"):
        assert files == {}
        return
    (content,) = files.values()
    assert list(files) == [f"{desk.club.id}.{kind}"]
    if kind == "xlsx":
        sheet = load_workbook(io.BytesIO(content)).active
        assert sheet is not None
        cells = [str(cell.value) for row in sheet.iter_rows() for cell in row]
        assert "First Quire" in cells
    else:
        data = content if isinstance(content, bytes) else content.encode()
        assert "First Quire" in data.decode("utf-8-sig")


def test_r31_a_list_that_is_too_large_is_not_attached(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LARGEST", 10)
    desk.contact(names=True, attach="csv")
    desk.club.erp.put("1", None)
    desk.club.sync()
    (mail,) = desk.look()
    assert list(mail.iter_attachments()) == []
    assert "The list is too large for a mail." in text(mail)


# --- sending -----------------------------------------------------------------------------------


def test_r31_what_fails_is_tried_again_and_somebody_is_told(desk: Desk) -> None:
    """The server takes nothing; pauses grow; one alert says so, and one when it works again."""
    desk.post.answer = "451 later"
    desk.club.erp.put("1", None)
    desk.club.sync()
    tries = []
    for minute in range(31):
        if desk.look() == [] and desk.states:
            tries.append(minute)
        desk.club.later(minutes=1)
    assert tries == [0, 1, 3, 7, 15], "after 1, 2, 4, 8 and 16 minutes"
    (alert,) = told(desk)
    assert "The mail server rejected the message (451)." in alert
    assert told(desk) == []
    desk.post.answer = "250 OK"
    desk.club.later(minutes=1)
    (mail,) = desk.look()
    assert [one.state for one in desk.states] == ["sent"]
    assert mail["Subject"] == "Club: 1 record to fix"
    assert told(desk) == [f"Club ({desk.club.id}): digests are sent again."]


def test_r31_a_server_that_is_away_for_days_is_told_once(desk: Desk) -> None:
    """The digest of the next day is another one, and still not sent."""
    desk.club.erp.put("1", None)
    desk.club.sync()
    desk.post.answer = "554 no"
    alerts = []
    for _ in range(3):
        desk.look()
        alerts += told(desk)
        desk.post.answer = "451 later"
        desk.tomorrow()
    assert len(alerts) == 1
    desk.post.answer = "250 OK"
    assert len(desk.look()) == 1
    assert told(desk) == [f"Club ({desk.club.id}): digests are sent again."]


def test_r31_what_was_sent_is_in_the_clubs_activity(desk: Desk) -> None:
    desk.contact(names=True, attach="csv")
    desk.club.erp.put("1", None)
    desk.club.sync()
    desk.look()
    ((actor, detail, outcome),) = desk.club.rows(
        "select actor, detail, outcome from sync.act where club = %s and kind = 'digest'",
        desk.club.number,
    )
    assert (actor, outcome) == ("clubsync", "done")
    assert (detail["names"], detail["attach"]) == (True, "csv")


def test_r31_a_recipient_who_is_refused_holds_up_nobody(desk: Desk) -> None:
    desk.contact(to=(TO, "gone@club.example"))
    desk.post.refused = {"gone@club.example": 550}
    desk.club.erp.put("1", None)
    desk.club.sync()
    assert len(desk.look()) == 1
    assert [one.state for one in desk.states] == ["sent"]
    (alert,) = told(desk)
    assert "rejected 1 of 2 recipients (550)" in alert
    assert "club.example" not in alert, "R19"
    desk.club.later(minutes=90)
    assert desk.look() == []


def test_r31_a_recipient_who_is_put_off_gets_it_later_and_the_others_once(desk: Desk) -> None:
    """Greylisting."""
    desk.contact(to=(TO, "grey@club.example"))
    desk.post.refused = {"grey@club.example": 451}
    desk.club.erp.put("1", None)
    desk.club.sync()
    (first,) = desk.look()
    assert told(desk) == [], "it passes by itself"
    desk.post.refused = {}
    desk.club.later(minutes=2)
    (second,) = desk.look()
    assert desk.post.recipients == [[TO], ["grey@club.example"]]
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


def test_r31_nobody_but_refused_recipients(desk: Desk) -> None:
    """Tomorrow it is tried again, and nothing is lost."""
    desk.post.refused = {TO: 550}
    desk.club.erp.put("1", None)
    desk.club.sync()
    assert desk.look() == []
    desk.club.later(minutes=90)
    assert desk.look() == []
    assert desk.states == []
    assert len(told(desk)) == 1
    desk.post.refused = {}
    desk.tomorrow()
    (mail,) = desk.look()
    assert mail["Subject"] == "Club: 1 record to fix"
    assert len(told(desk)) == 1


def test_r31_what_could_not_be_sent_today_is_told_tomorrow(desk: Desk) -> None:
    desk.club.erp.put("1", None)
    desk.club.sync()
    desk.post.answer = "451 later"
    desk.look()
    desk.post.answer = "250 OK"
    desk.tomorrow()
    desk.club.erp.put("2", None)
    desk.club.sync()
    (mail,) = desk.look()
    assert mail["Subject"] == "Club: 2 records to fix"
    assert desk.look() == []


def test_r31_a_line_that_breaks_after_the_message_was_taken(desk: Desk) -> None:
    """At least once: the same message once more, to be told by its Message-ID; then no more of it."""
    desk.post.took = lambda: True
    desk.club.erp.put("1", None)
    desk.club.sync()
    assert len(desk.look()) == 1
    assert [one.state for one in desk.states] == ["pending"]
    for _ in range(5):
        desk.club.later(minutes=60)
        desk.look()
    assert len(desk.post.mails) == 2
    assert len({mail["Message-ID"] for mail in desk.post.mails}) == 1
    assert "whether it took the message" in told(desk)[0]
    desk.post.took = lambda: None
    desk.tomorrow()
    (mail,) = desk.look()
    assert mail["Subject"] == "Club: 1 record to fix", "nobody knows that it was told"
    assert mail["Message-ID"] != desk.post.mails[0]["Message-ID"]


def test_r31_a_contact_that_is_removed_gets_nothing_more(desk: Desk) -> None:
    """Also what is to be sent; whoever is named later is told everything."""
    desk.club.erp.put("1", None)
    desk.club.sync()
    desk.post.answer = "451 later"
    desk.look()
    desk.post.answer = "250 OK"
    desk.club.configure(contact=None)
    desk.club.later(minutes=5)
    assert desk.look() == []
    assert desk.club.rows("select * from sync.digest where club = %s", desk.club.number) == []
    desk.contact(to=("new@club.example",))
    desk.look()
    assert desk.post.recipients == [["new@club.example"]]


def test_r31_a_connection_that_is_not_there_is_told_at_once(desk: Desk) -> None:
    desk.contact(via="other")
    desk.club.erp.put("1", None)
    desk.club.sync()
    assert desk.look() == []
    assert "There is no connection 'other'." in told(desk)[0]


def test_r31_a_paused_club_is_told_nothing(desk: Desk) -> None:
    desk.club.erp.put("1", None)
    desk.club.sync()
    lifecycle.pause(desk.club._base, desk.club.config, True)
    assert desk.look() == []
    lifecycle.pause(desk.club._base, desk.club.config, False)
    assert len(desk.look()) == 1


def test_r31_one_club_that_fails_holds_up_no_other(desk: Desk, new_club: NewClub) -> None:
    other = new_club(contact=Contact(to=("b@club.example",)))
    for one in (desk.club, other):
        one.erp.put("1", None)
        one.sync()
    desk.contact(via="other")
    config = Config(clubs=(desk.club.config, other.config))
    outbox.send_due(desk.club._base, config, desk.resolve, URL)
    assert desk.post.recipients == [["b@club.example"]]


def test_r31_services_of_apprise(desk: Desk) -> None:
    """Any address of Apprise; the text is text there too."""
    from apprise.decorators import notify

    got: list[tuple[str, str]] = []

    @notify(on="clubdesk")  # type: ignore[no-untyped-call,untyped-decorator]  # Apprise has no types for it
    def capture(body: str, title: str, *_: object, **__: object) -> None:
        got.append((title, body))

    desk.connection = Connection(
        id="clubsync_mail", host="", extra={"config": [{"path": "clubdesk://", "tag": "all"}]}
    )
    desk.club.configure(contact=Contact(names=True))
    desk.club.erp.put("1", None, first_name="<b>Bo")
    desk.club.sync()
    desk.look()
    ((title, body),) = got
    assert title == "Club: 1 record to fix"
    assert "<b>Bo" in body or "&lt;b&gt;Bo" in body
    desk.look()
    assert len(got) == 1


# --- killed, and from the shell ------------------------------------------------------------------


@dataclass
class Shell:
    """The command line, as a process of its own."""

    club: Club
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "clubsync.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=120)
            return process.returncode, out, err


@pytest.fixture
def shell(desk: Desk, tmp_path: Path) -> Shell:
    path = tmp_path / "clubs.yaml"
    entry = {
        "id": desk.club.id,
        "name": "Club",
        "erp": "csv",
        "connection": "drop",
        "contact": {"to": [TO]},
        "settings": {"customers": "c.csv", "fields": {"id": "id", "email": "email"}},
    }
    with path.open("w") as file:
        YAML().dump({"clubs": [entry]}, file)
    connection = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": desk.post.port,
        "extra": dict(desk.connection.extra),
    }
    return Shell(
        desk.club,
        {
            **os.environ,
            "CLUBSYNC_CONFIG": str(path),
            "CLUBSYNC_VAR": str(tmp_path / "var"),
            "CLUBSYNC_DATABASE": desk.club._base.engine.url.render_as_string(hide_password=False),
            "AIRFLOW_CONN_CLUBSYNC_MAIL": json.dumps(connection),
            "AIRFLOW__API__BASE_URL": URL,
        },
    )


def test_r31_a_sender_who_is_killed_between_the_message_and_the_note(
    desk: Desk, shell: Shell
) -> None:
    """SIGKILL after the server has the message: the next look sends the same message once more, and then none."""
    desk.club.erp.put("1", None)
    desk.club.sync()
    shell.environment["CLUBSYNC_NOW"] = desk.club.now.isoformat()
    killed: list[int] = []

    def kill() -> None:
        if not killed:
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    desk.post.took = kill
    process = shell.start("digest", desk.club.id, "--send")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert len(desk.post.mails) == 1
    desk.club.later(minutes=2)
    (again,) = desk.look()
    assert again["Message-ID"] == desk.post.mails[0]["Message-ID"]
    assert [one.state for one in desk.states] == ["sent"]
    for _ in range(3):
        desk.club.later(minutes=60)
        assert desk.look() == []
    desk.tomorrow()
    assert desk.look() == [], "it was told"


def test_r31_two_senders_at_once_send_it_once(desk: Desk, shell: Shell) -> None:
    desk.club.erp.put("1", None)
    desk.club.sync()
    shell.environment["CLUBSYNC_NOW"] = desk.club.now.isoformat()
    senders = [shell.start("digest", desk.club.id, "--send") for _ in range(2)]
    for sender in senders:
        sender.communicate(timeout=120)
    desk.look()
    assert len(desk.post.mails) == 1


def test_r31_from_the_shell(desk: Desk, shell: Shell, tmp_path: Path) -> None:
    """A preview stores and sends nothing; what was sent today is not sent again."""
    desk.club.erp.put("1", None)
    desk.club.sync()
    shell.environment["CLUBSYNC_NOW"] = desk.club.now.isoformat()
    page = tmp_path / "digest.html"
    code, out, _ = shell.run("digest", desk.club.id, "--html", str(page))
    assert (code, out.splitlines()[0]) == (0, "Club: 1 record to fix")
    assert URL in page.read_text()
    assert desk.post.mails == []
    for _ in range(2):
        code, out, _ = shell.run("digest", desk.club.id, "--send")
        assert (code, out) == (0, f"{desk.club.id}: sent.\n")
    assert len(desk.post.mails) == 1
    code, out, _ = shell.run("digest", desk.club.id, "--json")
    assert json.loads(out) == [{"club": desk.club.id, "subject": None, "text": None}]


# --- the connection and clubs.yaml ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "password", "said"),
    [
        (True, "right", None),
        (True, "wrong", "rejected the credentials (535)"),
        (False, "right", "certificate of the mail server is not valid"),
    ],
)
def test_r31_a_server_that_encrypts_and_wants_a_login(
    desk: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free_port: int,
    trusted: bool,
    password: str,
    said: str | None,
) -> None:
    pem = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    desk.club.erp.put("1", None)
    desk.club.sync()
    with mail_server(free_port, context) as post:
        desk.connection = post.connection(
            login="lists@sync.example", password=password, extra={"disable_tls": False}
        )
        desk.look()
        assert len(post.mails) == (said is None)
        assert post.encrypted == [True] * len(post.mails)
    if said is not None:
        assert said in told(desk)[0]


@pytest.fixture
def free_port(unused_port: int) -> int:
    """Another one than the server of `post` has."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_r31_nothing_is_sent_in_the_clear_to_another_machine(desk: Desk) -> None:
    desk.connection = Connection(
        id="clubsync_mail",
        host="127.0.0.2",
        port=desk.post.port,
        extra={"disable_ssl": True, "disable_tls": True, "from_email": "a@x.fr"},
    )
    desk.club.erp.put("1", None)
    desk.club.sync()
    assert desk.look() == []
    assert "without encryption to another machine" in told(desk)[0]


@pytest.mark.parametrize(
    "address", ["a@x.fr, b@x.fr", "a@x.fr\nBcc: b@x.fr", "Ana <a@x.fr>", "a", "a@x..fr", "a b@x.fr"]
)
def test_r31_an_address_is_one_address_alone(address: str) -> None:
    with pytest.raises(ValidationError, match="is not an email address"):
        Contact(to=(address,))


def test_r31_an_attached_list_needs_the_choice_of_names() -> None:
    with pytest.raises(ValidationError, match="names: true"):
        Contact(to=(TO,), attach="csv")


CLUBS = """
defaults: {contact: {via: post, at: "06:45"}}
clubs:
  - {id: a, name: A, erp: csv, connection: c, contact: {to: [a@x.fr]}}
  - {id: b, name: B, erp: csv, connection: c}
  - {id: c, name: C, erp: csv, connection: c, contact: {}}
"""


def test_r31_the_defaults_complete_a_contact_and_are_none(tmp_path: Path) -> None:
    path = tmp_path / "clubs.yaml"
    path.write_text(CLUBS)
    a, b, c = load_config(path).clubs
    assert a.contact == Contact(to=("a@x.fr",), via="post", at="06:45")
    assert (b.contact, c.contact) == (None, None)
    path.write_text(CLUBS.replace("via: post", "via: post, to: [all@x.fr]"))
    a, b, c = load_config(path).clubs
    assert [one and one.to for one in (a.contact, b.contact, c.contact)] == [
        ("a@x.fr",),
        ("all@x.fr",),
        None,
    ]
    path.write_text(CLUBS.replace("to: [a@x.fr]", "to: [a@x.fr], att: csv"))
    with pytest.raises(ConfigError, match=r"did you mean `at(tach)?`"):
        load_config(path)


def test_r31_a_club_without_a_contact_has_no_digest(club: Club) -> None:
    assert ClubConfig(id="a", name="A", erp="csv", connection="c").contact is None
    assert club.config.contact is None
