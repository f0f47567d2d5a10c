"""Chains: clubs that share an ERP tenant, and its records that are no club's (R29)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from plugins.web.auth import Reader
from plugins.web.context import Reading
from plugins.web.pages.rendering import render
from plugins.web.parameters import Paged
from plugins.web.services import chains

router = APIRouter()


@router.get("/chains/{chain}")
def chain(
    request: Request,
    user: Reader,
    reads: Reading,
    chain: Annotated[str, Path(pattern="^[0-9a-f]{16}$")],
    wanted: Annotated[Paged, Query()],
) -> HTMLResponse:
    return render(
        request,
        "chain.html",
        user,
        it=chains.one(reads, chain),
        found=chains.records(reads, chain, wanted.page, user),
    )
