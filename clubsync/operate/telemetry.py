"""OpenTelemetry metrics (OTLP over HTTP), sent to `OTEL_EXPORTER_OTLP_ENDPOINT` if it is set.

| metric | kind | attributes |
|---|---|---|
| `clubsync.clubs` | gauge | `state`: fresh, late, incomplete, old data, held, failing, quarantined, paused |
| `clubsync.changes` | counter | `erp`, `kind` |
| `clubsync.rows.read`, `clubsync.rows.written` | counter | `erp` |
| `clubsync.syncs` | counter | `erp`, `result`: done, held, not used, failed |
| `clubsync.stage.duration` | histogram, seconds | `stage` |

Metrics name no club and no person, because they are kept outside the database (R19).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

    from clubsync.config import Config
    from clubsync.store.database import Base

log = logging.getLogger(__name__)

CLUBS = "clubsync.clubs"
CHANGES = "clubsync.changes"
READ = "clubsync.rows.read"
WRITTEN = "clubsync.rows.written"
SYNCS = "clubsync.syncs"
DURATION = "clubsync.stage.duration"
METRICS = (CLUBS, CHANGES, READ, WRITTEN, SYNCS, DURATION)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")


def enabled() -> bool:
    return any(os.environ.get(name) for name in _ENDPOINTS)


@lru_cache(maxsize=1)
def _provider() -> MeterProvider:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import (
        Counter,
        Histogram,
        MeterProvider,
        ObservableCounter,
    )
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        PeriodicExportingMetricReader,
    )
    from opentelemetry.sdk.resources import Resource

    # a task's process runs for seconds: it sends what it counted, and the collector adds it up
    delta: dict[type, AggregationTemporality] = dict.fromkeys(
        (Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA
    )
    exporter = OTLPMetricExporter(preferred_temporality=delta)
    reader = PeriodicExportingMetricReader(
        exporter,
        export_interval_millis=float("inf"),
    )
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "clubsync")})
    return MeterProvider([reader], resource=resource, shutdown_on_exit=False)


def flush() -> None:
    """Send the counts; a collector that does not respond costs two seconds and a log line."""
    if enabled() and not _provider().force_flush(timeout_millis=2000):
        log.warning("The metrics could not be sent.")


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time a stage over its batch."""
    if not enabled():
        yield
        return
    started = time.perf_counter()
    try:
        yield
    finally:
        histogram = _provider().get_meter("clubsync").create_histogram(DURATION, unit="s")
        histogram.record(time.perf_counter() - started, {"stage": name})


def of_steps(steps: Iterable[Mapping[str, Any]], config: Config) -> None:
    """Count and send the results of syncs."""
    if not enabled():
        return
    meter = _provider().get_meter("clubsync")
    erps = {club.id: club.erp for club in config.clubs}
    changes, syncs = meter.create_counter(CHANGES), meter.create_counter(SYNCS)
    read, written = meter.create_counter(READ), meter.create_counter(WRITTEN)
    for step in steps:
        erp = {"erp": erps.get(step["club"], "?")}
        syncs.add(1, {**erp, "result": _result(step)})
        if step["error"]:
            continue
        read.add(step["read"], erp)
        written.add(step["rows_written"], erp)
        for kind, count in step["counts"].items():
            if count:
                changes.add(count, {**erp, "kind": kind})
    flush()


def _result(step: Mapping[str, Any]) -> str:
    """How a sync ended; what was not used is no success (R16)."""
    if step["error"]:
        return "failed"
    if not step["used"]:
        return "not used"
    return "held" if step["held"] else "done"


def of_clubs(base: Base, config: Config) -> None:
    """Send how many clubs are in each state."""
    if not enabled():
        return
    from clubsync.operate import freshness
    from clubsync.store.database import queries

    counts = freshness.counted(freshness.of_all(base, config))
    with base.reader() as driver:
        row = queries().operation_counts(driver)
    counts |= {
        "paused": row["paused"],
        "failing": row["failing"],
        "quarantined": row["quarantined"],
        "held": row["held"],
    }
    gauge = _provider().get_meter("clubsync").create_gauge(CLUBS)
    for state, count in counts.items():
        gauge.set(count, {"state": state})
    flush()
