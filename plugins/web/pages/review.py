"""R28: a first sync that awaits approval: who gets access, and who does not and why."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from plugins.web import i18n
from plugins.web.auth import Reader, ShownTo
from plugins.web.context import ReadClub
from plugins.web.pages.rendering import render
from plugins.web.services import review

router = APIRouter()


@router.api_route("/clubs/{club}/first-sync", methods=["GET", "POST"], response_model=None)
def first_sync(
    request: Request,
    user: Reader,
    shown_to: ShownTo,
    club: ReadClub,
    wanted: Annotated[review.ReviewList, Query()],
) -> Response:
    """Of one plan, which the address names: its pages are pages of one list, and what is approved is what was seen."""
    newest = review.newest_plan(club)
    if newest is not None and wanted.list_hash is None:
        query = {**request.query_params, "list_hash": newest}
        return RedirectResponse(f"{request.url.path}?{urlencode(query)}", status_code=307)
    found = review.of_club(club, wanted, i18n.language_of(request), shown_to)
    if found is None:  # it was approved, or there never was one
        return RedirectResponse(request.url.path.rpartition("/")[0], status_code=307)
    return render(
        request,
        "first_sync.html",
        user,
        club=club,
        found=found,
        wanted=wanted,
        shown=shown_to is not None,
    )
