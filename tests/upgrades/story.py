"""A few days of one club, told through the command line, whatever version of clubsync runs it.

The club reads a CSV file. In its story a customer is linked to the app, another added by hand, one detached;
people join, leave, swap emails; a run is undone, somebody is erased, and half the file goes missing, which leaves
a hold open.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

#: Runs one command of the command line and gives its JSON document: (arguments, environment) -> document.
Run = Callable[[Sequence[str], Mapping[str, str]], Any]

CLUB = "harbour"
DAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
#: Customers to whom something happens, by ERP id.
ERASED, DETACHED, UNDONE, LINKED = "7", "4", "12", "3"
COLUMNS = (
    *("Id", "First name", "Last name", "E-mail", "Phone", "Born", "Status", "Groups", "Guardian"),
    "Until",
)
CLUBS_YAML = """\
defaults: {every: 5m, timezone: Europe/Paris, country: FR}
clubs:
  - id: harbour
    name: Harbour
    erp: csv
    connection: harbour
    former_groups: [Former]
    settings:
      customers: customers.csv
      active_status: [active]
      inactive_status: [inactive]
      fields: {id: Id, first_name: First name, last_name: Last name, email: E-mail, phone: Phone,
               birth_date: Born, status: Status, groups: Groups, guardian_id: Guardian,
               valid_until: Until}
"""

Rows = dict[str, dict[str, str]]


def people() -> Rows:
    """The club's customers on its first day, by id."""
    rows = {
        str(n): {
            "First name": f"First{n}",
            "Last name": f"Last{n}",
            "E-mail": f"p{n}@example.com",
            "Phone": f"+3361200{n:04}",
            "Born": f"{1960 + n}-05-{n % 27 + 1:02}",
            "Status": "active",
            "Groups": "Gold" if n % 2 else "Silver",
        }
        for n in range(1, 25)
    }
    rows["20"] |= {"E-mail": "p19@example.com"}  # one address on two cards
    rows["21"] |= {"Guardian": "1", "E-mail": "p1@example.com", "Born": "2015-01-01"}
    rows["22"] |= {"Status": "inactive"}
    rows["23"] |= {"E-mail": ""}
    rows["24"] |= {"Groups": "Former"}
    return rows


def second_day(rows: Rows) -> Rows:
    """One leaves, one is gone, one is new, one has another email, one another phone, two swap emails."""
    rows = {erp_id: dict(row) for erp_id, row in rows.items()}
    rows["5"] |= {"Status": "inactive"}
    del rows["6"]
    rows["25"] = {**rows["3"], "E-mail": "p25@example.com", "First name": "New", "Phone": ""}
    rows["8"] |= {"E-mail": "eight@example.com"}
    rows["9"] |= {"Phone": "+33612999999"}
    rows["10"]["E-mail"], rows["11"]["E-mail"] = rows["11"]["E-mail"], rows["10"]["E-mail"]
    return rows


def third_day(rows: Rows) -> Rows:
    """As the second, but for an email whose change is then undone."""
    return {**rows, UNDONE: {**rows[UNDONE], "E-mail": "twelve@example.com"}}


def half_of(rows: Rows) -> Rows:
    return {erp_id: row for erp_id, row in rows.items() if int(erp_id) <= 12}


class Story:
    """The club's folder, clock and commands.

    :param folder: where the file, the settings and the stored snapshots are.
    :param database: the URL of the club base.
    """

    def __init__(self, folder: Path, database: str, run: Run) -> None:
        self.folder, self.run, self.now = folder, run, DAY
        self._drop = folder / "drop"
        self._drop.mkdir(parents=True, exist_ok=True)
        (folder / "clubs.yaml").write_text(CLUBS_YAML)
        self._environment = {
            "CLUBSYNC_CONFIG": str(folder / "clubs.yaml"),
            "CLUBSYNC_DATABASE": database,
            "CLUBSYNC_SNAPSHOTS": str(folder / "snapshots"),
            "CLUBSYNC_VAR": str(folder / "var"),
            "AIRFLOW_CONN_HARBOUR": json.dumps(
                {"conn_type": "clubsync_csv", "host": f"file://{self._drop}"}
            ),
        }

    def at(self, hours: float) -> None:
        """Set the clock to so many hours after the first morning."""
        self.now = DAY + timedelta(hours=hours)

    def file(self, rows: Rows) -> None:
        """Write the club's export, a minute before now."""
        path = self._drop / "customers.csv"
        with path.open("w", newline="") as out:
            writer = csv.DictWriter(out, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows({"Id": erp_id, **row} for erp_id, row in rows.items())
        written = (self.now - timedelta(minutes=1)).timestamp()
        os.utime(path, (written, written))

    def __call__(self, *arguments: str) -> Any:
        """Run one command with `--json`; its document."""
        environment = {**self._environment, "CLUBSYNC_NOW": self.now.isoformat()}
        return self.run([*arguments, "--json"], environment)

    def sync(self) -> dict[str, Any]:
        (result,) = self("sync", CLUB)
        assert result.get("error") is None, result
        return dict(result)

    def customers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("customers", CLUB)
        return found


def tell(story: Story) -> None:
    """Live through the days, until half of the last file is lost."""
    first = people()
    story.file(first)
    story.sync()
    story("app", "register", "p3@example.com")
    story("base", "add", CLUB, "hand@example.com", "--first-name", "Hand", "--last-name", "Made")
    (four,) = [c for c in story.customers() if c["erp_id"] == DETACHED]
    story("base", "detach", CLUB, str(four["id"]))
    story.at(24)
    second = second_day(first)
    story.file(second)
    story.sync()
    story.at(25)
    third = third_day(second)
    story.file(third)
    undone = story.sync()["run"]
    story.at(26)
    story("undo", str(undone))
    story.at(27)
    story("erase", CLUB, ERASED)
    story.sync()
    story.at(28)
    story.file(half_of(third))
    story.sync()
