"""What the plugin costs every task of Airflow: nothing is imported for it until a page is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOOK = """
import json, sys
from airflow.plugins_manager import AirflowPlugin
before = set(sys.modules)
import plugins.clubsync_plugin
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_the_plugin_brings_nothing_into_a_task() -> None:
    """Beside what Airflow's own plugin manager has imported anyway."""
    told = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    brought = set(json.loads(told.stdout.splitlines()[-1]))
    assert brought - {"plugins"} == {"plugins.clubsync_plugin"}


def test_airflow_finds_no_plugin_in_the_pages() -> None:
    """Every file below plugins/ that is not left out is imported by every process of Airflow."""
    from airflow.utils.file import find_path_from_directory

    found = {
        Path(p).name
        for p in find_path_from_directory(str(ROOT / "plugins"), ".airflowignore", "glob")
    }
    assert {name for name in found if name.endswith(".py")} == {
        "clubsync_plugin.py",
        "connection_test_plugin.py",
    }
