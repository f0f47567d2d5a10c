"""A client of Airflow's public API, limited to what starting and watching the stack needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

TIMEOUT = 30.0
"""Seconds per request; a server that is still starting may be slow."""

RETRIES = Retry(total=4, backoff_factor=1.0, status_forcelist=(502, 503, 504))
"""GET requests are retried when the server is overloaded; POST and PATCH are not."""


class AirflowApi:
    """A session of one user with one Airflow.

    Every method but `health` raises `requests.RequestException` if Airflow does not respond or reports an error.

    :param user: whom all methods but `health` log in as, with the password.
    """

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy: Airflow runs on this machine
        self._session.mount("http://", HTTPAdapter(max_retries=RETRIES))

    def health(self) -> dict[str, str]:
        """The status of each component of Airflow; empty while the server does not respond."""
        try:
            answer = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=TIMEOUT)
            answer.raise_for_status()
        except requests.RequestException:
            return {}
        return {
            component: (state or {}).get("status") or "unknown"
            for component, state in answer.json().items()
        }

    def dags(self) -> list[dict[str, Any]]:
        """The Dags that are not stale."""
        return list(self._pages("/api/v2/dags", "dags"))

    def import_errors(self) -> list[dict[str, Any]]:
        return list(self._pages("/api/v2/importErrors", "import_errors"))

    def unpause(self, dag: str) -> None:
        self._call("PATCH", f"/api/v2/dags/{dag}", json={"is_paused": False})

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """The newest 100 runs of the Dag, newest first; `~` stands for all Dags."""
        path = f"/api/v2/dags/{dag}/dagRuns?order_by=-run_after&limit=100"
        return list(self._call("GET", path)["dag_runs"])

    def trigger(self, dag: str, conf: dict[str, Any] | None = None) -> dict[str, Any]:
        body = {"logical_date": None, "conf": conf or {}}
        return self._call("POST", f"/api/v2/dags/{dag}/dagRuns", json=body)

    def task_instances(self, dag: str, run: str) -> list[dict[str, Any]]:
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances"
        return list(self._pages(path, "task_instances"))

    def log(self, dag: str, run: str, task: str, *, index: int = -1, attempt: int = 1) -> str:
        """The log of a task instance as text, one event per line."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"
        answer = self._call("GET", f"{path}?map_index={index}&full_content=true")
        return "\n".join(
            event if isinstance(event, str) else str(event.get("event", ""))
            for event in answer["content"]
        )

    def xcom(self, dag: str, run: str, task: str, index: int) -> Any:
        """The return value of a task instance; None if there is none."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value"
        try:
            return self._call("GET", f"{path}?map_index={index}&deserialize=true")["value"]
        except requests.HTTPError as error:
            if error.response.status_code == requests.codes.not_found:
                return None
            raise

    def clear(self, dag: str, run: str, task: str, index: int) -> None:
        """Clear one mapped task instance and its downstream tasks, so that they run again."""
        body = {
            "dag_run_id": run,
            "task_ids": [[task, index]],
            "include_downstream": True,
            "only_failed": False,
            "reset_dag_runs": True,
            "dry_run": False,
        }
        self._call("POST", f"/api/v2/dags/{dag}/clearTaskInstances", json=body)

    def add_connection(self, connection: dict[str, Any]) -> None:
        """Create a connection.

        :param connection: the fields of Airflow's API.
        """
        self._call("POST", "/api/v2/connections", json=connection)

    def test_connection(self, connection: dict[str, Any]) -> dict[str, Any]:
        """Test a connection; returns `status` and `message`."""
        return self._call("POST", "/api/v2/connections/test", json=connection)

    def _pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            answer = self._call("GET", f"{path}?limit=100&offset={offset}")
            yield from answer[key]
            offset += len(answer[key])
            if not answer[key] or offset >= answer["total_entries"]:
                return

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        if "Authorization" not in self._session.headers:
            token = self._session.post(f"{self.url}/auth/token", json=self._login, timeout=TIMEOUT)
            token.raise_for_status()
            self._session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        answer = self._session.request(method, self.url + path, timeout=TIMEOUT, **kwargs)
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}
