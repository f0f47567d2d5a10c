"""`clubsync similar`: ERP records that look like one person (R23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from clubsync.cli.common import AsJson, ClubId, cell, err, open_base, open_club, out, print_json

_CARD = ("erp_id", "first_name", "last_name", "email", "phone", "birth_date", "access")


def similar(
    club_id: ClubId,
    ignore: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--ignore",
            metavar="A B",
            help="These two ERP ids are two people: never suggest the pair again. This is permanent.",
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="First compare the records that no sync has compared yet (after a large first sync).",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List pairs of ERP records that look like one person, the most likely first.

    Two records are a pair if their names are similar and they share a phone, a birth date or an email
    name. A family that shares a phone is not a pair. Scores go from 0.5 (just enough) to 1 (certain).

    clubsync never merges anybody. If a pair is one person, merge the records in the ERP: the next sync
    removes the pair. If they are two people, run the command with `--ignore A B`.
    """
    if ignore is not None:
        _ignore(club_id, *ignore, as_json=as_json)
        return
    if compare:
        _compare(club_id)
    from clubsync.store.database import queries
    from clubsync.validate import suites

    with open_club(club_id) as (driver, club_no, club):
        rows = list(queries().similar_pairs(driver, club=club_no))
        waiting = club_no and queries().similar_upto(driver, club=club_no) is not None
    found = [
        {
            "score": round(row["score"], 3),
            "reasons": suites.similarity(row["reasons"], club.language),
            "since": row["since"],
            "records": [_card(row, "a"), _card(row, "b")],
        }
        for row in rows
    ]
    if waiting:
        err.say(
            f"Not all records of {club.name} are compared yet. To compare them now, add --compare."
        )
    if as_json:
        print_json(found)
    else:
        _show(club.name, found)


def _card(pair: Mapping[str, Any], side: str) -> dict[str, Any]:
    return {name: pair[f"{side}_{name}"] for name in _CARD}


def _show(name: str, found: list[dict[str, Any]]) -> None:
    if not found:
        out.say(f"{name}: no similar records.")
        return
    title = f"{name}: {len(found)} pair{'s' * (len(found) > 1)} of similar records"
    headings = [column.replace("_", " ") for column in ("score", *_CARD, "reasons")]
    rows: list[list[str | None]] = []
    for pair in found:
        one, other = ([cell(record[column]) for column in _CARD] for record in pair["records"])
        rows.append([f"{pair['score']:.2f}", *one, ", ".join(pair["reasons"])])
        rows.append([None, *other, None])
    out.show(title, headings, rows)


def _ignore(club_id: str, one: str, other: str, *, as_json: bool) -> None:
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    with open_base() as base:
        result = customers.ignore_pair(base, club, one, other)
    if as_json:
        print_json(result)
    elif result["already"]:
        out.say(f"The pair {one}, {other} is already ignored.")
    else:
        out.say(f"Done: the pair {one}, {other} will not be suggested again.")


def _compare(club_id: str) -> None:
    from clubsync.config import load_config
    from clubsync.load import similar_pairs
    from clubsync.store.database import queries

    club = load_config().club(club_id)
    with open_base() as base:
        with base.transaction() as driver:
            club_no = queries().find_club(driver, club_id=club_id)
        if club_no is not None:
            done = similar_pairs.catch_up(base, club_no, club)
            err.say(f"Compared {done} records.")
