"""Runbooks as pages: each is there, its links lead somewhere, and its steps can be done by who reads them."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from clubsync.cli import app
from clubsync.i18n import LANGUAGES
from clubsync.model import Origin
from connectors.sdk.errors import CredentialsRefused
from plugins.web import i18n
from plugins.web.pages.documents import Step, parts
from plugins.web.services.runbooks import Document
from tests.pages.conftest import Site
from tests.pages.test_pages import acts, post, text
from tests.support.club import Club

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "runbooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.md"))
_COMMAND = re.compile(r"`(clubsync [^`]+)`")


def get(site: Site, path: str, role: str = "viewer", language: str = "en") -> str:
    answer = site.as_(role).get(path, headers={"accept-language": language})
    assert answer.status_code == 200, (path, text(answer.text))
    return answer.text


def article(page: str) -> str:
    return page.split('<article class="document"')[1].split("</article>")[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_runbook_is_a_page_of_its_own_and_of_each_club(site: Site, language: str) -> None:
    """In the reader's language, with the club's id in its commands, and linked from the list."""
    listed = get(site, "/pages/runbooks", language=language)
    translated = FOLDER / language
    for name in NAMES:
        source = translated / f"{name}.md" if language != "en" else FOLDER / f"{name}.md"
        title = source.read_text().partition("\n")[0].removeprefix("# ")
        assert (
            f'href="/pages/runbooks/{name}">{html.escape(title, quote=True)}'.replace(
                "&#x27;", "&#39;"
            )
            in listed
        ), name
        for path in (f"/pages/runbooks/{name}", f"/pages/clubs/{site.club.id}/runbooks/{name}"):
            page = get(site, path, language=language)
            assert title in html.unescape(page)
            for part in re.findall(r"\*\*(.+?)\*\*", source.read_text()):
                assert f"<strong>{html.escape(part, quote=False)}</strong>" in page, (path, part)
        assert "&lt;club&gt;" not in article(page)


def test_every_link_of_every_runbook_leads_to_a_page_and_its_anchor(site: Site) -> None:
    waiting = [
        f"/pages/{below}runbooks/{name}"
        for below in ("", f"clubs/{site.club.id}/")
        for name in NAMES
    ]
    cited: list[str] = []
    for path in waiting:
        cited += map(html.unescape, re.findall(r'href="(/pages/[^"]+)"', article(get(site, path))))
    assert any("/pages/docs/" in href for href in cited)
    for href in set(cited):
        path, _, anchor = href.partition("#")
        page = get(site, path)
        assert not anchor or f'id="{anchor}"' in page, href


@pytest.mark.parametrize("language", LANGUAGES[1:])
@pytest.mark.parametrize("name", NAMES)
def test_a_translated_runbook_has_the_same_steps_commands_links_and_buttons(
    name: str, language: str
) -> None:
    english = (FOLDER / f"{name}.md").read_text()
    other = (FOLDER / language / f"{name}.md").read_text()
    say = i18n.Voice(language).gettext

    def steps(of: str) -> list[list[str]]:
        found = re.findall(r"^\d\. (.*)$", of, re.MULTILINE)
        return [sorted(re.findall(r"`[^`]+`", step)) for step in found]

    def links(of: str) -> list[str]:
        return [Path(one).name for one in re.findall(r"\]\(([^)]+)\)", of)]

    assert steps(other) == steps(english)
    assert links(other) == links(english)
    for label in (*i18n.BUTTONS.values(), *i18n.PLACES.values()):
        assert other.count(f"*{say(label)}*") == english.count(f"*{label}*"), label


def _commands(name: str) -> Iterator[list[str]]:
    for command in _COMMAND.findall((FOLDER / f"{name}.md").read_text()):
        yield shlex.split(command.replace("<erp id>", "ID"))[1:]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_a_runbook_exists_with_its_options(name: str) -> None:
    for words in _commands(name):
        at: Any = typer.main.get_command(app)
        while hasattr(at, "commands") and words and words[0] in at.commands:
            at = at.commands[words.pop(0)]
        assert not hasattr(at, "commands") or at.name == "clubs", words
        options = {one for parameter in at.params for one in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, (name, words)


def test_a_step_has_its_button_for_who_may_act_and_for_nobody_else(site: Site) -> None:
    """Each button that a runbook names in a step is on its page for the club; none where no club is known."""
    for name in NAMES:
        steps = re.findall(r"^\d\. .*$", (FOLDER / f"{name}.md").read_text(), re.MULTILINE)
        for what, label in i18n.BUTTONS.items():
            named = any(f"*{label}*" in step for step in steps)
            action = f'action="/pages/clubs/{site.club.id}/do/{what}"'
            path = f"/pages/clubs/{site.club.id}/runbooks/{name}"
            assert (action in get(site, path, "support")) == named, (name, what)
            assert action not in get(site, path, "viewer")
            assert "/do/" not in get(site, f"/pages/runbooks/{name}", "admin")


def test_markup_in_a_document_is_text() -> None:
    """Also in the club's place; a link of an unknown kind leads nowhere."""
    hostile = "<script>alert(1)</script> [a](javascript:alert(1)) [b](../secret.md) ![c](x.png)\n\n1. *Do it*\n"
    made = parts(
        Document("docs/runbooks/x.md", "X", hostile),
        pages="/p",
        steps={"Do it": Step(action="sync")},
    )
    page = "".join(made)
    assert "<script" not in page
    assert "href" not in page
    assert "<img" not in page
    assert made[1] == "sync"


def test_r14_really_empty_is_confirmed_on_its_runbook_and_recorded(site: Site) -> None:
    """From the list to the club, its runbook and the button: nothing happens without the tick."""
    club = site.club
    club.erp.records.clear()
    club.later(minutes=10)
    step = club.attempt()
    assert step["runbook"] == "empty-answer"
    where = f"/pages/clubs/{club.id}/runbooks/empty-answer"
    assert f'href="{where}"' in get(site, f"/pages/clubs?words={club.id}")
    assert f'href="{where}"' in get(site, f"/pages/clubs/{club.id}")
    assert f'href="{where}"' in get(site, f"/pages/clubs/{club.id}/runs/{step['run']}")
    assert "customer" in text(get(site, where, "support"))
    token = get(site, where, "support").split('name="token" value="')[1].split('"')[0]
    sent = {"data": {"token": token}, "headers": {"sec-fetch-site": "same-origin"}}
    unsure = site.as_("support").post(f"/pages/clubs/{club.id}/do/confirm-empty", **sent)  # type: ignore[arg-type]  # the two forms of a request
    assert unsure.status_code == 422
    assert acts(site) == []
    told = text(post(site, "support", "/do/confirm-empty", sure="yes"))
    assert "Confirmed as empty The next empty response is accepted, once." in told
    assert acts(site) == [("confirm_empty", "support-person", "done", [])]
    club.later(minutes=10)
    assert club.attempt()["error"] is None


def test_r14_the_right_source_is_confirmed_on_its_runbook_and_recorded(site: Site) -> None:
    club = site.other
    for n in range(40):
        club.erp.put(str(n), f"p{n}@other.fr", first_name=f"F{n}", last_name=f"L{n}")
    club.later(minutes=10)
    club.sync()
    club.erp.records.clear()
    for n in range(40):
        club.erp.put(f"x{n}", f"q{n}@other.fr", first_name=f"G{n}", last_name=f"M{n}")
    club.later(minutes=10)
    assert club.attempt()["runbook"] == "other-club"
    one = Site(site.app, club, site.club, site.started)
    page = one.page("support", "/runbooks/other-club")
    assert "The ERP or the club has confirmed that these data are this club's." in html.unescape(
        page
    )
    post(one, "support", "/do/confirm-source", sure="yes")
    assert acts(one) == [("confirm_source", "support-person", "done", [])]
    club.later(minutes=10)
    assert club.attempt()["error"] is None


def test_a_program_confirms_without_a_form(site: Site) -> None:
    program, url = site.program("support"), f"/api/v1/clubs/{site.club.id}"
    for what in ("confirm-empty", "confirm-source"):
        answer = program.post(f"{url}/{what}")
        assert (answer.status_code, answer.json()["outcome"]) == (200, "done")


def test_the_club_says_what_happened_what_to_do_and_where_its_log_is(site: Site) -> None:
    """The log is that of the run that failed, also when something was done by hand since."""
    club: Club = site.other
    club.erp.fault = CredentialsRefused("The ERP rejected our credentials (401).")
    club.later(minutes=10)
    club._say(True, None, (), ())
    engine = club.pipeline()
    engine.origin = Origin("sync_memory", "scheduled__1", "retry_club", 3)
    engine.sync([club.id], "scheduled")
    post(Site(site.app, club, site.club, site.started), "support", "/do/pause")
    post(Site(site.app, club, site.club, site.started), "support", "/do/resume")
    page = get(site, f"/pages/clubs/{club.id}")
    said = text(page)
    assert "The ERP rejected our credentials (401)." in said
    assert "Ask the club for a new key or password" in said
    assert "/dags/sync_memory/runs/scheduled__1/tasks/retry_club/mapped/3" in page
    assert f"/pages/clubs/{club.id}/runbooks/credentials-refused" in page
