"""What clubsync adds to Airflow's web server. Imported by every process of Airflow: nothing heavy here."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from plugins.orchestration import listener
from plugins.web.outdated_answers import OutdatedAnswers

PREFIX = "/clubsync"


class LazyApp:
    """The web application, imported at the first request.

    Airflow imports plugins at the start of every task, and FastAPI alone would cost each of them nearly a
    CPU-second.
    """

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            from plugins.web.app import application

            self._app = application()
        await self._app(scope, receive, send)


class ClubsyncPlugin(AirflowPlugin):
    name = "clubsync"
    # Airflow declares them as attributes of instances, and mypy takes no ClassVar in their place.
    fastapi_apps = [{"name": "clubsync", "app": LazyApp(), "url_prefix": PREFIX}]  # noqa: RUF012  # Airflow's base class declares no ClassVar
    listeners = [listener]  # noqa: RUF012  # Airflow's base class declares no ClassVar
    fastapi_root_middlewares = [  # noqa: RUF012  # Airflow's base class declares no ClassVar
        {
            "name": "clubsync outdated answers",
            "middleware": OutdatedAnswers,
            "args": [],
            "kwargs": {},
        }
    ]
    external_views = [  # noqa: RUF012  # Airflow's base class declares no ClassVar
        {
            "name": "Clubs",
            "href": f"{PREFIX}/pages/clubs",
            "destination": "nav",
            "url_route": "clubs",
            "nav_top_level": True,
            "icon": f"{PREFIX}/static/clubs.svg",
            "icon_dark_mode": f"{PREFIX}/static/clubs-dark.svg",
        },
        {
            "name": "Clubs",
            "href": f"{PREFIX}/pages/airflow?dag={{DAG_ID}}&run={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "clubs-of-run",
        },
        {
            "name": "Clubs",
            "href": f"{PREFIX}/pages/airflow?dag={{DAG_ID}}&run={{RUN_ID}}&task={{TASK_ID}}&index={{MAP_INDEX}}",
            "destination": "task_instance",
            "url_route": "clubs-of-task",
        },
    ]
