"""Walks through what support does all day, on a stack of its own, in a real browser.

    python -m tests.e2e.walk [--pictures docs/images] [--table FILE]

Counts the clicks and keys of each task, times what the machine takes, and estimates what a person takes: the
keystroke-level model (Card, Moran and Newell 1980: a key 0.28 s, pointing 1.1 s, a click 0.2 s, a thought 1.35 s)
and silent reading at 238 words a minute (Brysbaert 2019) of what has to be read. Pictures are of both languages.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect, sync_playwright

from tests.e2e.running import OURS, Stack, clubs_with_ours, started, until, write_ours

KEY, POINT, CLICK, THOUGHT = 0.28, 1.1, 0.2, 1.35
WORDS_A_MINUTE = 238
LANGUAGES = ("en", "fr")
NEW = "tennis-nice"

expect.set_options(timeout=60_000)


@dataclass
class Task:
    """What one task took.

    :param human, machine: seconds; `machine` is what the person waits for.
    """

    name: str
    clicks: int = 0
    keys: int = 0
    human: float = 0.0
    machine: float = 0.0

    @property
    def minutes(self) -> float:
        return (self.human + self.machine) / 60


@dataclass
class Walk:
    """Somebody in front of a window.

    :param last: what can be done once only is done by this one.
    """

    page: Page
    url: str
    language: str
    pictures: Path | None = None
    last: bool = False
    tasks: list[Task] = field(default_factory=list)

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        self.tasks.append(Task(name))
        yield
        one = self.tasks[-1]
        print(
            f"{self.language}: {one.name}: {one.clicks} clicks, {one.keys} keys, {one.minutes:.2f} min"
        )

    def click(self, what: Locator) -> None:
        now = self.tasks[-1]
        now.clicks += 1
        now.human += THOUGHT + POINT + CLICK
        with self.waiting():
            what.click()

    def go(self, what: Locator) -> None:
        """To where the next task begins; not counted."""
        what.click()
        self.page.wait_for_timeout(500)

    def type(self, where: Locator, words: str, *, keys: int | None = None) -> None:
        """Type into a field, and Enter where it ends in a line end.

        :param keys: fewer than its letters: it is pasted.
        """
        now = self.tasks[-1]
        keys = len(words) if keys is None else keys
        now.keys += keys
        now.human += THOUGHT + keys * KEY
        where.fill(words.rstrip("\n"))
        if words.endswith("\n"):
            with self.waiting():
                where.press("Enter")

    def read(self, *what: Locator) -> None:
        """Wait until it is there, and read it."""
        with self.waiting():
            for one in what:
                expect(one.first).to_be_visible()
        words = sum(len(one.first.inner_text().split()) for one in what)
        self.tasks[-1].human += THOUGHT + words / WORDS_A_MINUTE * 60

    @contextmanager
    def waiting(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.tasks[-1].machine += time.monotonic() - began

    def picture(self, name: str) -> None:
        if self.pictures is not None:
            self.page.mouse.move(0, 0)
            self.page.wait_for_timeout(1000)
            suffix = "" if self.language == "en" else "-french"
            self.page.screenshot(path=self.pictures / f"{name}{suffix}.png")


def _new_club(folder: Path) -> dict[str, object]:
    """A club whose first sync somebody wants to see before; two of its records share an email."""
    rows = [f"{n},person{n}@tennis.example.org" for n in range(40)]
    rows.append("40,person1@tennis.example.org")
    (folder / "customers.csv").write_text("\n".join(["id,email", *rows, ""]))
    return {
        "id": NEW,
        "name": "Tennis Nice",
        "erp": "csv",
        "connection": "tennis_nice",
        "first_sync": "review",
        "every": "1m",
        "settings": {"customers": "customers.csv", "fields": {"id": "id", "email": "email"}},
    }


@contextmanager
def trouble(stack: Stack, left: range) -> Iterator[None]:
    """One club's key is refused, another one's ERP answers with nothing, and of ours many have left."""
    stack.fault("padel-chamartin", "unauthorized")
    stack.fault("salon-graslin", "empty")
    stack.run("sync_playtomic", {"clubs": ["padel-chamartin"]})
    # the salon's export is empty from its next one on
    until(lambda: stack.run("sync_planity", {"clubs": ["salon-graslin"]})["state"] == "failed")
    write_ours(stack.var, left)
    stack.run("sync_csv", {"clubs": [OURS, NEW]})
    try:
        yield
    finally:
        for club in ("padel-chamartin", "salon-graslin"):
            stack.fault(club, None)
        stack.run("sync_playtomic", {"clubs": ["padel-chamartin"]})
        stack.run("sync_planity", {"clubs": ["salon-graslin"]})


def support(walk: Walk, stack: Stack) -> None:
    """The day of somebody of support. Everything is found by where it leads, whatever the language."""
    frame, page = walk.frame, walk.page

    def row(club: str) -> Locator:
        return frame.locator(f'tr:has(a[href$="/clubs/{club}"])')

    def tab(path: str) -> Locator:
        return frame.locator(f'header nav a[href$="{path}"]')

    def do(action: str) -> Locator:
        return frame.locator(f'article form[action$="/do/{action}"] button').first

    def finish() -> None:
        with walk.waiting():
            expect(frame.locator("#act.done")).to_be_visible(timeout=180_000)
            expect(frame.locator("#act .spinner")).to_have_count(0, timeout=180_000)
        walk.read(frame.locator("#act"))

    page.goto(f"{walk.url}/")
    with walk.task("Which clubs are in trouble, and why?"):
        walk.click(page.locator('a[href$="/plugin/clubs"]').first)
        inside = (
            row(club).locator(".reason") for club in ("padel-chamartin", "salon-graslin", OURS)
        )
        walk.read(frame.locator(".chips"), *inside)
    walk.picture("clubs")

    with walk.task("A caller, by their email: are they a customer, and why?"):
        walk.type(frame.locator("#who"), "person7@our.example.org\n", keys=3)
        walk.read(
            frame.locator(".answer"), *(frame.locator(".questions h2").nth(n) for n in range(3))
        )
    walk.picture("why")

    walk.go(tab("/clubs"))
    with walk.task("A club whose key is refused: what to do, and doing it"):
        walk.click(row("padel-chamartin").locator('a[href*="/runbooks/"]'))
        walk.read(frame.locator("article"))
        walk.picture("runbook")
        stack.fault("padel-chamartin", None)  # the club has given a new key
        walk.click(do("test"))
        finish()
        walk.click(frame.locator('form[action$="/do/sync"] button').first)
        finish()

    walk.go(tab("/clubs"))
    with walk.task("A club whose ERP answers with nobody: what is known, and what not to do"):
        walk.click(row("salon-graslin").locator('a[href*="/runbooks/"]'))
        walk.read(frame.locator("article"))

    walk.go(tab("/clubs"))
    walk.go(row("salon-graslin").locator("th a"))
    walk.picture("club-failing")

    with walk.task("Many left a club at once: decide"):
        walk.click(tab("/holds"))
        walk.click(row(OURS).locator('a[href*="/holds/"]'))
        walk.read(frame.locator("h1"), frame.locator(".panel").first)
        walk.picture("hold")
        walk.type(frame.locator("#comment"), "The season is over.")
        walk.click(frame.locator('button[value="approve"]'))
        finish()

    walk.go(tab("/clubs"))
    with walk.task("A new club: review its first sync" + (", approve it" if walk.last else "")):
        walk.click(row(NEW).locator('a[href*="/first-sync"]'))
        walk.read(
            frame.locator("h1"), frame.locator(".chips").first, frame.locator("tbody tr").first
        )
        walk.picture("first-sync")
        if walk.last:
            walk.click(frame.locator('form[action$="/do/go"] button'))
            finish()

    walk.go(tab("/clubs"))
    with walk.task("Send a club what it should fix"):
        walk.click(frame.locator('tr:has(a[href$="/clubs/aviron-annecy"]) a[href$="/findings"]'))
        walk.read(frame.locator(".chips"))
        with page.expect_download():
            walk.click(frame.locator('form[action$="/findings.csv"] button'))
    walk.picture("findings")

    walk.go(tab("/clubs"))
    with walk.task("It was a mistake: undo what a run did"):
        walk.click(row(OURS).locator("th a"))
        walk.click(frame.locator('a[href*="/runs/"]').first)
        walk.click(frame.locator('a[href$="/undo"]').first)
        walk.read(frame.locator("h1"))
        walk.click(frame.locator('form[action$="/undo"] button').last)
        finish()


def engineer(walk: Walk, stack: Stack) -> None:
    """From a red run in Airflow to the club, and to what its log says."""
    runs = [r for r in stack.api.runs("sync_planity") if r["state"] == "failed"]
    run = max(runs, key=lambda r: str(r["start_date"]))["dag_run_id"]
    walk.page.goto(f"{walk.url}/dags/sync_planity/runs/{run}")
    with walk.task("From a failed run in Airflow to the club that failed"):
        walk.click(walk.page.locator("a[href$='/plugin/clubs-of-run']"))
        walk.read(walk.frame.locator("tbody tr").first)
    walk.picture("failed-run")
    walk.page.goto(f"{walk.url}/dags/sync_planity/runs/{run}/tasks/retry_club/mapped/0")
    walk.page.wait_for_timeout(3000)
    walk.picture("failed-log")


def _logged_in(browser: Browser, stack: Stack, language: str, pictures: Path | None) -> Walk:
    url = f"http://127.0.0.1:{stack.environment['CLUBSYNC_PORT']}"
    passwords = json.loads((stack.var / "airflow" / "passwords.json").read_text())
    locale = "en-GB" if language == "en" else "fr-FR"
    page = browser.new_page(
        locale=locale, timezone_id="Europe/Paris", viewport={"width": 1440, "height": 900}
    )
    page.goto(f"{url}/auth/login")
    page.locator('input[name="username"]').fill("support")
    page.locator('input[name="password"]').fill(passwords["support"])
    page.locator('button[type="submit"]').click()
    page.wait_for_url(lambda now: "/auth/" not in now)
    page.evaluate(f"localStorage.setItem('i18nextLng', '{language}')")
    return Walk(page, url, language, pictures, last=language == LANGUAGES[-1])


def table(walks: Sequence[Walk]) -> str:
    """The tasks as Markdown, the slowest of the languages each."""
    lines = ["| task | clicks | keys | waiting, s | minutes |", "|---|---|---|---|---|"]
    for same in zip(*(walk.tasks for walk in walks), strict=True):
        one = max(same, key=lambda task: task.minutes)
        lines.append(
            f"| {one.name} | {one.clicks} | {one.keys} | {one.machine:.1f} | {one.minutes:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.walk", description=__doc__)
    parser.add_argument("--pictures", type=Path, help="folder for pictures; default: none")
    parser.add_argument("--table", type=Path, help="file for the table; default: standard output")
    wanted = parser.parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        Path(folder).chmod(0o755)
        new = _new_club(Path(folder))
        connection = {"conn_type": "clubsync_csv", "host": Path(folder).as_uri()}
        with started(
            {"AIRFLOW_CONN_TENNIS_NICE": json.dumps(connection)},
            lambda var: clubs_with_ours(var, new),
        ) as stack:
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            walks = []
            for language, left in zip(LANGUAGES, (range(60), range(30)), strict=True):
                with trouble(stack, left):
                    walk = _logged_in(browser, stack, language, wanted.pictures)
                    support(walk, stack)
                    engineer(walk, stack)
                    walks.append(walk)
            browser.close()
    told = table(walks)
    if wanted.table:
        wanted.table.write_text(told)
    else:
        print(told)


if __name__ == "__main__":
    main()
