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


#: What the scheduler's listener and the server's middleware are made of: the standard library is all that they import.
SMALL = {
    "plugins",
    "plugins.clubsync_plugin",
    "plugins.dag_ids",
    "plugins.orchestration",
    "plugins.orchestration.listener",
    "plugins.orchestration.notes",
    "plugins.orchestration.pools",
    "plugins.web",
    "plugins.web.outdated_answers",
}


def test_the_plugin_brings_nothing_into_a_task() -> None:
    """Beside what every task of Airflow imports anyway, which includes what calls listeners."""
    told = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    brought = set(json.loads(told.stdout.splitlines()[-1]))
    assert {name for name in brought if name.startswith("plugins")} | {"plugins"} == SMALL
    others = {
        name for name in brought - SMALL if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert {name for name in others if "listeners" not in name and "pluggy" not in name} == set()


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
