"""A home for Airflow, which writes a configuration into it when it is first imported."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile


def have_a_home() -> None:
    """A temporary one, gone when the process ends, where the environment names none."""
    if "AIRFLOW_HOME" not in os.environ:
        os.environ["AIRFLOW_HOME"] = folder = tempfile.mkdtemp(prefix="cs-airflow-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
