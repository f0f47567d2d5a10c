"""`clubsync chains`: tenants that several clubs share (R29)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli.common import AsJson, open_base, out, print_json, table
from clubsync.errors import ActionRejected

if TYPE_CHECKING:
    from clubsync.chains import Chain
    from clubsync.store.queries import ChainsReadRow

_HEADINGS = {
    "chain": "chain",
    "erp": "ERP",
    "clubs": "clubs",
    "read": "last read",
    "certified": "complete",
    "unknown": "records of no club",
}


def chains(
    chain: Annotated[
        str | None,
        typer.Argument(
            metavar="[CHAIN]",
            help="A chain, by its connection or by one of its clubs: list its records of no club.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List chains: clubs that share an ERP tenant, which is read once for all of them.

    A club is in a chain if clubs.yaml says which records are its own (`members`). A record that names no club of the
    chain is a finding of the chain, CLUB_UNKNOWN: nobody gains or loses access by it. Correct the club in the ERP, or
    add the word under `members`.
    """
    from clubsync.chains import chains as chains_of
    from clubsync.config import load_config
    from clubsync.store.database import queries

    known = {one.key: one for one in chains_of(load_config().clubs).values()}
    wanted = None if chain is None else _named(chain, known)
    with open_base() as base, base.reader() as driver:
        if wanted is not None:
            rows = list(queries().chain_findings(driver, chain=wanted.key))
            _show([{"code": "CLUB_UNKNOWN", **row} for row in rows], wanted, as_json=as_json)
            return
        read = {row["chain"]: row for row in queries().chains_read(driver)}
        counts = {row["chain"]: row["records"] for row in queries().chain_counts(driver)}
    found = [_document(one, read.get(key), counts.get(key, 0)) for key, one in known.items()]
    if as_json:
        print_json(found)
    else:
        table("Chains", [{**one, "clubs": ", ".join(one["clubs"])} for one in found], _HEADINGS)


def _named(name: str, known: Mapping[str, Chain]) -> Chain:
    """:raises ActionRejected: there is no such chain."""
    for one in known.values():
        if name == one.name or name in one.ids:
            return one
    raise ActionRejected(
        "clubs.yaml has no such chain.", remedy="`clubsync chains` lists all chains."
    )


def _document(chain: Chain, row: ChainsReadRow | None, unknown: int) -> dict[str, Any]:
    return {
        "chain": chain.name,
        "erp": chain.clubs[0].erp,
        "clubs": list(chain.ids),
        "read": row["read_at"] if row else None,
        "certified": row["certified"] if row else False,
        "unknown": unknown,
    }


def _show(rows: list[dict[str, Any]], chain: Chain, *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    headings = {
        "erp_id": "ERP id",
        "word": "club in the ERP",
        "records": "records",
        "since": "since",
    }
    table(f"{chain.name}: records of no club", rows, headings)
    if rows:
        out.say("Correct the club in the ERP, or add the word under `members` in clubs.yaml.")
