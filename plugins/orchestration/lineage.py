"""OpenLineage: what a task has read and written, club by club. Airflow's provider sends it, if it is configured.

| task | inputs | outputs |
|---|---|---|
| `extract` | `clubsync://erp/<erp>/<club>` | `clubsync://snapshots/<club>` |
| `load` | `clubsync://snapshots/<club>` | `clubsync://base/<club>`, the asset of the club |
| `retry_club`, `sync_club` | `clubsync://erp/<erp>/<club>` | `clubsync://base/<club>` |

Ids only, no address of an ERP and no person (R19).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook

from clubsync.config import load_config

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import Asset

SCHEME = "clubsync"

MOST_NAMED = 100
"""Datasets that Airflow collects of a task; of a larger batch its ERP is named, and the club base as a whole."""


def read(steps: Iterable[Mapping[str, Any]]) -> None:
    """These clubs were read into snapshots."""
    done = [step["club"] for step in steps if not step["error"] and step["snapshot"]]
    _tell(done, _erps, _snapshots)


def loaded(steps: Iterable[Mapping[str, Any]]) -> None:
    """The snapshots of these clubs were loaded."""
    _tell([step["club"] for step in steps if not step["error"]], _snapshots, _base)


def synced(steps: Iterable[Mapping[str, Any]]) -> None:
    """These clubs were read and loaded."""
    _tell([step["club"] for step in steps if not step["error"]], _erps, _base)


def to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:
    """The dataset of an asset of ours; the provider's description names this function."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    address = urlsplit(asset.uri)
    return Dataset(
        namespace=f"{SCHEME}://{address.netloc}", name=address.path.lstrip("/") or address.netloc
    )


def _tell(clubs: Sequence[str], inputs: Any, outputs: Any) -> None:
    """Hand datasets to Airflow's collector, if a plugin reads it.

    :param inputs, outputs: club ids -> addresses.
    """
    from airflow.sdk.lineage import NoOpCollector, get_hook_lineage_collector

    collector = get_hook_lineage_collector()
    if isinstance(collector, NoOpCollector) or not clubs:
        return
    reader = BaseHook()  # Airflow names who has told it by a hook
    for address in inputs(clubs):
        collector.add_input_asset(reader, uri=address)
    for address in outputs(clubs):
        collector.add_output_asset(reader, uri=address)


def _erps(clubs: Sequence[str]) -> list[str]:
    erps = {club.id: club.erp for club in load_config().clubs}
    if len(clubs) >= MOST_NAMED:
        return sorted({f"{SCHEME}://erp/{erps[club]}" for club in clubs})
    return [f"{SCHEME}://erp/{erps[club]}/{club}" for club in clubs]


def _snapshots(clubs: Sequence[str]) -> list[str]:
    return _each("snapshots", clubs)


def _base(clubs: Sequence[str]) -> list[str]:
    return _each("base", clubs)


def _each(room: str, clubs: Sequence[str]) -> list[str]:
    if len(clubs) >= MOST_NAMED:
        return [f"{SCHEME}://{room}"]
    return [f"{SCHEME}://{room}/{club}" for club in clubs]
