"""What clubsync adds to Airflow's own server. Imported by every process of Airflow: nothing heavy here."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/clubsync"


class WhenAsked:
    """The web application, imported at the first request.

    Airflow imports plugins at the start of every task, and FastAPI alone would cost each of them most
    of a CPU-second.
    """

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            from plugins.web import application

            self._app = application()
        await self._app(scope, receive, send)


class ClubsyncPlugin(AirflowPlugin):
    name = "clubsync"
    # Airflow declares it as an attribute of instances, and mypy takes no ClassVar in its place.
    fastapi_apps = [{"name": "clubsync", "app": WhenAsked(), "url_prefix": PREFIX}]  # noqa: RUF012
