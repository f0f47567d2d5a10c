"""Chains: clubs that share an ERP tenant (R29)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from plugins.web.api.responses import CLUB
from plugins.web.auth import Reader
from plugins.web.context import Reading
from plugins.web.parameters import Paged
from plugins.web.services import chains

router = APIRouter(tags=["findings"])

Key = Annotated[str, Path(description="the key of a chain", pattern="^[0-9a-f]{16}$")]


@router.get("/chains")
def list_chains(_: Reader, reads: Reading) -> list[chains.ChainNow]:
    """The chains, how they were read last, and how many of their records name no club."""
    return chains.all_of_them(reads)


@router.get("/chains/{chain}/records", responses=CLUB)
def show_records(
    user: Reader, reads: Reading, chain: Key, wanted: Annotated[Paged, Query()]
) -> chains.ChainRecords:
    """A page of the records that name no club of the chain (CLUB_UNKNOWN), the longest open first."""
    return chains.records(reads, chain, wanted.page, user)
