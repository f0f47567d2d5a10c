"""`clubsync customers`, `findings`, `why` and `changes`: look things up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli.common import (
    OR_STDIN,
    AsJson,
    ClubId,
    entered_one,
    err,
    moment,
    open_base,
    open_club,
    out,
    print_json,
    table,
)

if TYPE_CHECKING:
    from clubsync.explain.questions import Question


def customers(club_id: ClubId, as_json: AsJson = False) -> None:
    """List a club's customers."""
    from clubsync.store.database import queries

    with open_club(club_id) as (driver, club_no, club):
        rows = list(queries().customers(driver, club=club_no))
    if as_json:
        print_json(rows)
    else:
        columns = [
            "id",
            "erp_id",
            "email",
            "first_name",
            "last_name",
            "in_customers_group",
            "groups",
            "reason",
            "link",
        ]
        table(f"{club.name}: {len(rows)} customers", rows, columns)


def findings(
    club_id: ClubId,
    everything: Annotated[
        bool, typer.Option("--all", help="Include closed and informational findings.")
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write them to a CSV file for the club: its own columns, as its country writes them.",
        ),
    ] = None,
    xlsx: Annotated[
        Path | None,
        typer.Option("--xlsx", metavar="FILE", help="Write the same to a workbook."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what the club should fix in its ERP."""
    from clubsync.explain.export import write_csv, write_xlsx
    from clubsync.store.database import queries
    from clubsync.validate import suites

    with open_club(club_id) as (driver, club_no, club):
        found = list(queries().findings(driver, club=club_no, include_all=everything))
        for path, write in ((csv, write_csv), (xlsx, write_xlsx)):
            if path is not None:
                written = write(path, driver, club_no, club, include_all=everything)
                err.say(f"Wrote {written} records to {path}.")
    rows = []
    for row in found:
        advice = suites.advice(row["code"], row["severity"], row["detail"], club.language)
        document = {
            "code": row["code"],
            "erp_id": row["erp_id"],
            "email": row["email"],
            "severity": row["severity"],
            "advice": advice,
            "since": row["since"],
            "run": row["run"],
        }
        rows.append({**document, "closed": row["closed_at"]} if everything else document)
    if as_json:
        print_json(rows)
    elif csv is None and xlsx is None:
        table(
            f"{club.name}: findings",
            rows,
            ["code", "erp_id", "email", "severity", "since", "advice"],
        )


def why(
    club_id: ClubId,
    who: Annotated[
        str,
        typer.Argument(
            metavar="EMAIL|ERP_ID|NAME", help=f"Email, ERP id, or part of a name. {OR_STDIN}"
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Explain why a person is or is not a customer, and what to do."""
    from clubsync.chains import chains
    from clubsync.config import load_config
    from clubsync.explain.why import why as answer_of

    who = entered_one("email, ERP id or name", who)
    chain = chains(load_config().clubs).get(club_id)
    with open_club(club_id) as (driver, club_no, club):
        answer = answer_of(driver, club_no, club, who, chain=chain.key if chain else None)
    elsewhere = _elsewhere(club_id, who) if answer["verdict"] == "unknown" else []
    if as_json:
        document = {"situation": None, "elsewhere": elsewhere, **answer}
        print_json({key: document[key] for key in _WHY if key in document})
        return
    style = {"in": "green", "out": "red", "unknown": "yellow"}[answer["verdict"]]
    out.say((answer["verdict"], style), f": {answer['headline']}")
    for sentence in answer["standing"]["sentences"]:
        out.say((sentence, "dim"))
    if answer.get("questions"):
        columns = {"question": "question", "answer": "answer", "because": "because", "do": "to do"}
        table("Questions", [_in_columns(one) for one in answer["questions"]], columns)
    if answer.get("groups"):
        table("Groups in the ERP", answer["groups"], {"group": "group", "says": "worth"})
    if answer.get("candidates"):
        shown = ["erp_id", "first_name", "last_name", "email", "in_customers_group"]
        table("Possible matches", answer["candidates"], shown)
    if elsewhere:
        table("In other clubs", elsewhere, ["club", "erp_id", "customer"])
    if answer["timeline"]:
        table("History", answer["timeline"], {"at": "at", "what": "event", "run": "run"})


#: What `why --json` prints, in order.
_WHY = (
    *("verdict", "reasons", "situation", "sentence", "headline", "standing", "questions", "groups"),
    *("timeline", "candidates", "elsewhere"),
)


def _in_columns(question: Question) -> dict[str, str]:
    """An answer, as a row of a table."""
    because = f"{question['says']} {question['rests_on']}".strip()
    return {
        "question": question["question"],
        "answer": question["answer"],
        "because": because,
        "do": question["to_do"],
    }


def _elsewhere(club_id: str, who: str) -> list[dict[str, Any]]:
    """The same email or ERP id in other clubs: the caller may have named the wrong one."""
    from clubsync.config import load_config
    from clubsync.explain.lookup import in_clubs

    others = [club.id for club in load_config().clubs if club.id != club_id]
    with open_base() as base, base.reader() as driver:
        found = in_clubs(driver, others, who, most=50)
    return [{"club": r["club_id"], "erp_id": r["erp_id"], "customer": r["customer"]} for r in found]


def changes(
    club_id: ClubId,
    run: Annotated[
        int | None, typer.Option("--run", metavar="RUN", help="Only the changes of this run.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only changes from this time on; ISO 8601, UTC unless it has an offset.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the audit: every change with its run, before and after."""
    from clubsync.store.database import queries

    start = moment(since) if since else None
    with open_club(club_id) as (driver, club_no, club):
        rows = list(queries().changes(driver, club=club_no, run=run, since=start))
    if as_json:
        print_json(rows)
    else:
        table(
            f"{club.name}: changes",
            rows,
            ["run", "at", "kind", "customer", "erp_id", "reason", "before", "after"],
        )
