"""Chains: clubs that share an ERP tenant, and its records that are no club's (R29)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, Field

from clubsync.chains import Chain, chains
from clubsync.store.database import queries
from plugins.web.auth import User
from plugins.web.context import Reads
from plugins.web.errors import ProblemError
from plugins.web.parameters import pages_of
from plugins.web.registry import registry
from plugins.web.services import masking

PAGE_SIZE = 50
SAID_BY_SEVERAL = 3
"""Records from which on a word is a club's name, not a person's (R19)."""


class ChainNow(BaseModel):
    """A chain, and how its last reading was."""

    chain: str = Field(description="the key of the chain")
    name: str = Field(description="the connection that its clubs share")
    erp: str
    clubs: dict[str, str] = Field(description="id and name of each club")
    read_at: datetime | None
    certified: bool
    unknown: int = Field(description="records that name no club of the chain")


class NobodysRecord(BaseModel):
    """CLUB_UNKNOWN: a record that names no club of the chain."""

    erp_id: str = Field(description='"" in an ERP without ids')
    word: str = Field(description='what it has in place of a club; "" if it has nothing')
    records: int
    since: datetime


class ChainRecords(BaseModel):
    rows: list[NobodysRecord]
    total: int
    page: int
    pages: int


def all_of_them(reads: Reads) -> list[ChainNow]:
    """The chains of clubs.yaml."""
    known = _known()
    if not known:
        return []
    driver, sql = reads.across(), queries()
    read = {row["chain"]: row for row in sql.chains_read(driver)}
    counts = {row["chain"]: row["records"] for row in sql.chain_counts(driver)}
    return [
        ChainNow(
            chain=key,
            name=chain.name,
            erp=chain.clubs[0].erp,
            clubs={club.id: club.name for club in chain.clubs},
            read_at=read[key]["read_at"] if key in read else None,
            certified=key in read and read[key]["certified"],
            unknown=counts.get(key, 0),
        )
        for key, chain in known.items()
    ]


def one(reads: Reads, key: str) -> ChainNow:
    """:raises ProblemError: 404: clubs.yaml has no such chain."""
    for chain in all_of_them(reads):
        if chain.chain == key:
            return chain
    raise ProblemError(404, "No such chain", "clubs.yaml has no such chain.")


def of_club(reads: Reads, club: str) -> ChainNow | None:
    """The chain that a club is in."""
    return next((chain for chain in all_of_them(reads) if club in chain.clubs), None)


def records(reads: Reads, key: str, page: int, user: User) -> ChainRecords:
    """A page of a chain's records that are no club's, the longest open first.

    Words that only few records have may be a person's, if the field of the club is the wrong one: whoever may not act
    sees them masked.
    """
    one(reads, key)
    rows = list(queries().chain_findings(reads.across(), chain=key))
    said: dict[str, int] = {}
    for row in rows:
        said[row["word"]] = said.get(row["word"], 0) + row["records"]
    shown = rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return ChainRecords(
        rows=[
            NobodysRecord(
                erp_id=row["erp_id"],
                word=_word(row["word"], said, user),
                records=row["records"],
                since=row["since"],
            )
            for row in shown
        ],
        total=len(rows),
        page=page,
        pages=pages_of(len(rows), PAGE_SIZE),
    )


def _word(word: str, said: Mapping[str, int], user: User) -> str:
    if user.may_act or said[word] >= SAID_BY_SEVERAL:
        return word
    return masking.name(word) or ""


def _known() -> dict[str, Chain]:
    return {chain.key: chain for chain in chains(registry().config.clubs).values()}
