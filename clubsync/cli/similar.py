"""`clubsync similar`: records that look like one person (R23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from clubsync.cli.common import AsJson, ClubId, cell, err, open_base, open_club, out, print_json

_CARD = ("erp_id", "first_name", "last_name", "email", "phone", "birth_date", "access")


def similar(
    club_id: ClubId,
    ignore: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--ignore",
            metavar="A B",
            help="These two ERP ids are two people: never suggest them as a pair again.",
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="First compare all records that no sync has come to yet (after the first sync of a large club).",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Pairs of ERP records that look like one person, side by side, the surest first.

    A pair is suggested for near names with the same phone, birth date or email name; a family that
    shares a phone is not. The score is 0.5 where that is just enough and 1 where there is no doubt.

    clubsync never merges anybody. If the two are one person, merge them in the ERP: the next sync sees
    it and the pair goes. If they are two, say so with [bold]--ignore A B[/bold], which is for ever.
    """
    if ignore is not None:
        _ignore(club_id, *ignore, as_json=as_json)
        return
    if compare:
        _compare(club_id)
    from clubsync.store.database import queries
    from clubsync.validate import suites

    with open_club(club_id) as (driver, number, club):
        rows = list(queries().similar_pairs(driver, club=number))
        waiting = number and queries().similar_upto(driver, club=number) is not None
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
        err.print(
            f"Not all records of {club.name} are compared yet; --compare does it now.",
            highlight=False,
            soft_wrap=True,
        )
    if as_json:
        print_json(found)
    else:
        _show(club.name, found)


def _card(pair: Mapping[str, Any], side: str) -> dict[str, Any]:
    return {name: pair[f"{side}_{name}"] for name in _CARD}


def _show(name: str, found: list[dict[str, Any]]) -> None:
    if not found:
        out.print(f"{name}: no similar records.")
        return
    title = f"{name}: {len(found)} pair{'s' * (len(found) > 1)} of similar records"
    shown = Table(title=title, title_justify="left")
    for column in ("score", *_CARD, "why"):
        shown.add_column(column.replace("_", " "))
    for pair in found:
        why = ", ".join(pair["reasons"])
        for first, record in zip((True, False), pair["records"], strict=True):
            cells = [cell(record[column]) for column in _CARD]
            shown.add_row(
                f"{pair['score']:.2f}" if first else "",
                *cells,
                why if first else "",
                end_section=not first,
            )
    out.print(shown)


def _ignore(club_id: str, one: str, other: str, *, as_json: bool) -> None:
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    with open_base() as base:
        made = customers.ignore(base, club, one, other)
    if as_json:
        print_json(made)
    elif made["already"]:
        out.print(f"Records {one} and {other} were ignored already.", highlight=False)
    else:
        out.print(f"Done: records {one} and {other} will not be suggested again.", highlight=False)


def _compare(club_id: str) -> None:
    from clubsync.config import load_config
    from clubsync.load import similar_pairs
    from clubsync.store.database import queries

    club = load_config().club(club_id)
    with open_base() as base:
        with base.transaction() as driver:
            number = queries().find_club(driver, club_id=club_id)
        if number is not None:
            done = similar_pairs.catch_up(base, number, club)
            err.print(f"{done} records compared.", highlight=False)
