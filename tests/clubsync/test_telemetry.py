"""Metrics as a collector receives them, and the dashboard that shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clubsync.config import Config
from clubsync.operate import telemetry
from tests.support.club import Club
from tests.support.servers import serving

DASHBOARD = Path(__file__).resolve().parents[2] / "docs" / "grafana" / "clubsync.json"


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Metric name -> its data points as (attributes, value), of all that arrived over OTLP."""
    arrived: dict[str, list[dict[str, Any]]] = {}

    async def take(request: Request) -> Response:
        message = ExportMetricsServiceRequest.FromString(await request.body())
        for resource in message.resource_metrics:
            for metric in (m for scope in resource.scope_metrics for m in scope.metrics):
                points = getattr(metric, str(metric.WhichOneof("data"))).data_points
                for point in points:
                    row: dict[str, Any] = {a.key: a.value.string_value for a in point.attributes}
                    row["value"] = (
                        point.count if metric.HasField("histogram") else point.as_int or 0
                    )
                    arrived.setdefault(metric.name, []).append(row)
        return Response()

    with serving(Starlette(routes=[Route("/v1/metrics", take, methods=["POST"])])) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        telemetry._provider.cache_clear()
        yield arrived
        telemetry._provider.cache_clear()


def test_what_a_collector_sees_of_a_sync(
    club: Club, collected: dict[str, list[dict[str, Any]]]
) -> None:
    club.erp.put("1", "somebody@x.fr")
    club.erp.put("2", "other@x.fr")
    config = Config(clubs=(club.config,))
    with telemetry.stage("load"):
        step = club.sync()
    telemetry.of_steps([step], config)
    telemetry.of_steps([{**step, "used": False}], config)
    telemetry.of_clubs(club._base, config)

    assert set(collected) == set(telemetry.METRICS)
    assert {"erp": "memory", "kind": "addition", "value": 2} in collected[telemetry.CHANGES]
    assert {"erp": "memory", "result": "done", "value": 1} in collected[telemetry.SYNCS]
    assert {"erp": "memory", "result": "not used", "value": 1} in collected[telemetry.SYNCS]
    assert {"state": "fresh", "value": 1} in collected[telemetry.CLUBS]
    assert {"stage": "load", "value": 1} in collected[telemetry.DURATION]
    # R19: never a person's or a club's data
    assert "x.fr" not in json.dumps(collected)
    assert club.id not in json.dumps(collected)


def test_without_an_endpoint_nothing_is_counted(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    telemetry._provider.cache_clear()
    telemetry.of_steps([club.sync()], Config(clubs=(club.config,)))
    assert telemetry._provider.cache_info().currsize == 0


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    names = {name.replace(".", "_") for name in telemetry.METRICS}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        re.sub(r"_(total|seconds_bucket)$", "", name)
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"clubsync_\w+", target["expr"])
    }
    assert asked == names
