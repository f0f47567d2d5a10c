"""The web application inside Airflow's server: the Clubs pages, their API, and the webhooks of ERPs.

Imported by `clubsync_plugin` at the first request.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from plugins.web import api, errors, pages
from plugins.web.api import health, nudges
from plugins.web.auth import Reader
from plugins.web.headers import Headers
from plugins.web.pages.rendering import STATIC, error_page


def application() -> FastAPI:
    app = FastAPI(
        title="clubsync",
        version="1",
        description=api.__doc__ or "",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    errors.install(app, error_page)
    app.add_middleware(Headers)  # the outermost: errors have them too
    app.include_router(api.router)
    app.include_router(nudges.router)
    app.include_router(health.router)
    app.include_router(pages.router)
    app.mount("/static", STATIC)

    @app.get(f"{api.VERSION}/openapi.json", include_in_schema=False)
    def openapi(_: Reader) -> dict[str, Any]:
        return app.openapi()

    return app
