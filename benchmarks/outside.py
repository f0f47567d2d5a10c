"""The same work by programs that are not clubsync's, in an environment of their own (`.venv-bench`).

`python benchmarks/outside.py WHAT` reads a task as JSON on standard input and prints seconds as JSON; it imports
nothing of clubsync. What is timed is the work alone: neither imports, nor reading the two Parquet files, nor the
first load.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Task = dict[str, str]
Timed = dict[str, float]


def dlt_merge(task: Task) -> Timed:
    """Load both readings by a dlt pipeline that merges by key; the second one is timed."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt
    import pyarrow.parquet

    def run(path: str) -> Timed:
        table = pyarrow.parquet.read_table(path)
        reading = dlt.resource(
            table, name="customer", write_disposition="merge", primary_key="erp_id"
        )
        wall, cpu = time.perf_counter(), time.process_time()
        pipeline.run(reading)
        return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}

    pipeline = dlt.pipeline(
        pipeline_name="same_work",
        pipelines_dir=task["folder"],
        destination=dlt.destinations.postgres(task["url"]),
        dataset_name="dlt_same",
    )
    run(task["before"])
    return run(task["after"])


def datacompy_polars(task: Task) -> Timed:
    """Compare both readings as Polars frames."""
    import datacompy
    import polars

    return _compared(
        polars.read_parquet, lambda *two: datacompy.PolarsCompare(*two, join_columns="erp_id"), task
    )


def datacompy_pandas(task: Task) -> Timed:
    """Compare both readings as pandas frames."""
    import datacompy
    import pandas

    compare = getattr(datacompy, "PandasCompare", None) or datacompy.Compare
    return _compared(pandas.read_parquet, lambda *two: compare(*two, join_columns="erp_id"), task)


def _compared(read: Callable[[str], Any], compare: Callable[..., Any], task: Task) -> Timed:
    before, after = read(task["before"]), read(task["after"])
    wall, cpu = time.perf_counter(), time.process_time()
    found = compare(before, after)
    found.all_mismatch()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


WORK = {
    "dlt": dlt_merge,
    "datacompy (Polars)": datacompy_polars,
    "datacompy (pandas)": datacompy_pandas,
}

if __name__ == "__main__":
    done = WORK[sys.argv[1]](json.load(sys.stdin))
    print(json.dumps(done))
