"""`clubsync connector`: list the connectors, and try settings before a club is synced."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli.common import AsJson, err, out, print_json, table

if TYPE_CHECKING:
    from connectors.sdk.http.said import Heard

connector_app = typer.Typer(
    help="List the connectors, and try their settings before a club is synced.",
    no_args_is_help=True,
)


@connector_app.command("list")
def connector_list(as_json: AsJson = False) -> None:
    """List the connectors and their settings; those marked * are required."""
    from connectors.registry import CONNECTORS, connector_class

    rows: list[dict[str, Any]] = []
    for name in sorted(CONNECTORS):
        cls = connector_class(name)
        fields = cls.settings_type.model_fields
        rows.append(
            {
                "connector": name,
                "erp": cls.title,
                "answers_past": cls.answers_past,
                "settings": [f"{n}*" if f.is_required() else n for n, f in fields.items()],
            }
        )
    if as_json:
        print_json(rows)
    else:
        table("Connectors", rows, ["connector", "erp", "answers_past", "settings"])


@connector_app.command("try")
def connector_try(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A clubs.yaml, or a YAML file with the entry of one club."
        ),
    ],
    club_id: Annotated[
        str | None, typer.Option("--club", help="The club to try; needed if the file has several.")
    ] = None,
    first: Annotated[int, typer.Option("--first", min=0, help="How many records to show.")] = 10,
    show: Annotated[
        bool,
        typer.Option(
            "--show",
            help="Show names, emails and phones unmasked, and what the ERP says of an error.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a club with its settings and show what a sync would do. Stores nothing."""
    from clubsync import connections
    from clubsync.chains import chain_in
    from clubsync.config import load_club
    from clubsync.operate.tryout import try_out
    from connectors.sdk.errors import ConnectorError
    from connectors.sdk.http import said

    club = load_club(file, club_id)
    with said.listening() as heard:
        try:
            tried = try_out(
                club, connections.resolve, first=first, show=show, chain=chain_in(file, club)
            )
        except ConnectorError:
            _print_said(heard, show)
            raise
    certificate, without_id = tried.reading.certificate, tried.reading.without_id
    document = {
        "club": club.id,
        "erp": club.erp,
        "certified": certificate.complete,
        "doubts": list(certificate.doubts),
        "notes": list(tried.reading.notes),
        "rows_without_id": [] if without_id is None else without_id["row"].to_list(),
        "rows": certificate.rows,
        "total": certificate.total,
        "pages": certificate.pages,
        "records": tried.records,
        "statuses": tried.statuses,
        "access": tried.access,
        "situations": tried.situations,
        "findings": tried.findings,
        "words": tried.words,
        "groups": tried.groups,
        "unlisted_groups": tried.unlisted_groups,
        "unmatched": tried.unmatched,
        "not_proved": tried.not_proved,
        "others": tried.others,
        "unused": tried.unused,
        "absent_groups": tried.absent_groups,
        "absent_access_groups": tried.absent_access_groups,
        "absent_automatic_groups": tried.absent_automatic_groups,
        **({"chain": tried.chain} if tried.chain is not None else {}),
    }
    if as_json:
        print_json(document)
        return
    _print(document)


def _print_said(heard: Heard, show: bool) -> None:
    """The ERP's own words of an error, on stderr; they may name people (R19)."""
    if heard.words:
        status = "" if heard.status is None else f" (HTTP {heard.status})"
        words = heard.words if show else "not shown, because it may name people; --show shows it."
        err.say(f"What the ERP said{status}: {words}")


def _print(tried: dict[str, Any]) -> None:
    say = out.say
    if tried["records"]:
        title = f"{tried['club']}: the first {len(tried['records'])} of {tried['rows']} records"
        table(title, tried["records"], list(tried["records"][0]))
    headings = {"place": "column", "word": "word", "count": "rows", "meaning": "meaning"}
    table("Words", tried["words"], {**headings, "access": "access"})
    headings = {"id": "id", "name": "name", "active": "active", "held_by": "customers"}
    table("Groups", tried["groups"], {**headings, "access": "access", "feeds": "automatic group"})
    of = f" of {tried['total']}" if tried["total"] is not None else ""
    pages = "1 page" if tried["pages"] == 1 else f"{tried['pages']} pages"
    say(f"Records read: {tried['rows']}{of}, in {pages}.")
    say("Complete." if tried["certified"] else "Incomplete.")
    for reason in tried["not_proved"]:
        say(f"  {reason}")
    for note in tried["notes"]:
        say(note)
    if chain := tried.get("chain"):
        say(f"Of the chain: {_counted(chain['clubs'])}.")
        for word, count in chain["unknown"].items():
            named = f"name {word}, which is no club of the chain" if word else "name no club"
            say(f"  {count} {named}: nobody gains or loses access by them.")
    if rows := tried["rows_without_id"]:
        numbers = ", ".join(map(str, rows[:20])) + (", …" if len(rows) > 20 else "")
        say(f"Rows without an id, which are not read: {numbers}.")
    if tried["others"]:
        say(f"Records that are not this club's, by its `members`: {tried['others']}.")
    say(f"Status: {_counted(tried['statuses'])}.")
    say(f"Access after a first sync: {_counted(tried['access'])}.")
    say(f"Situations: {_counted(tried['situations'])}.")
    say(f"Findings: {_counted(tried['findings'])}.")
    for group in tried["unlisted_groups"]:
        say(f"Not in the ERP's list of groups: {group['id']}, which {group['held_by']} have.")
    for setting, names in tried["unmatched"].items():
        say(f"{setting} matches nothing that was read: {', '.join(names)}.")
    _print_absent(tried)
    if tried["unused"]:
        say(f"Fields that no setting uses: {', '.join(tried['unused'])}.")
    say("Nothing was stored.")


def _print_absent(tried: dict[str, Any]) -> None:
    """Groups that clubs.yaml names and the ERP does not have, and what to do about them."""
    from clubsync.operate import group_check

    for setting, absent in (
        (group_check.FORMER, tried["absent_groups"]),
        (group_check.ACCESS, tried["absent_access_groups"]),
        (group_check.AUTOMATIC, tried["absent_automatic_groups"]),
    ):
        if absent:
            out.say(group_check.told(setting, absent))
            names = [group["name"] for group in tried["groups"]]
            out.say(f"  {group_check.remedy(setting, absent, names)}")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items()) or "none"
