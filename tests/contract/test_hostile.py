"""Against an ERP that means harm: no wrong certificate, caps that hold, and an error in plain words.

`Http` is shared by all API connectors, so one of them stands for them; what each makes of an odd answer is in
test_contract.py. That something never ends is seen by the suite's own timeout.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import (
    ConnectorError,
    ContractChanged,
    ErpUnreachable,
    LimitExceeded,
    SettingsWrong,
)
from sandbox import hostile
from sandbox.hostile import Hostile

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    with hostile.serving() as it:
        yield it


@pytest.fixture
def erp(server: Hostile) -> Hostile:
    server.asked.clear()
    server.sent.clear()
    return server


def connector(erp: Hostile, path: str, seconds: float = 60, **listing: object) -> RestConnector:
    settings = {
        "customers": {
            "path": f"/{path}",
            "records": "data",
            "paging": {"kind": "cursor", "at": "next"},
            **listing,
        },
        "fields": {"id": "id", "email": "mail"},
        "auth": {"kind": "bearer"},
        "http": {
            "attempts": 2,
            "backoff": 0.01,
            "longest_wait": 0.1,
            "max_seconds": seconds,
            "max_bytes": MEGABYTE,
            "max_pages": 20,
        },
    }
    return RestConnector(
        Connection("c", erp.url, None, "s3cret"),
        RestSettings.model_validate(settings),
        Club("gym", ZoneInfo("Europe/Paris"), "FR"),
        now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
    )


@pytest.mark.parametrize("path", ["drip-body", "drip-chunks", "drip-head", "continue"])
def test_a_drip_is_cut_at_the_deadline(erp: Hostile, path: str) -> None:
    """Each byte comes in time, and the answer never: timeouts alone would wait for days."""
    with pytest.raises(ErpUnreachable) as told:
        connector(erp, path, seconds=1).read()
    assert "longer than 1 s" in told.value.what
    assert erp.asked[path] <= 2


def test_a_head_without_an_end(erp: Hostile) -> None:
    with pytest.raises(ErpUnreachable):
        connector(erp, "endless-headers").read()
    assert erp.sent["endless-headers"] < 16 * MEGABYTE


@pytest.mark.parametrize("path", ["endless-body", "bomb"])
def test_a_huge_answer_is_not_taken_in(erp: Hostile, path: str) -> None:
    """Neither from the wire nor, of a bomb that unpacks to gigabytes, into memory; nor asked for again."""
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded, match="more than 1 MB"):
            connector(erp, path).read()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 64 * MEGABYTE
    assert erp.asked[path] == 1
    assert erp.sent[path] < 32 * MEGABYTE


@pytest.mark.parametrize(
    ("path", "pages", "doubt"),
    [
        ("endless-pages", 20, "the limit of 20 pages"),
        ("same-cursor", 2, "already been read"),
        ("same-page", 2, "returned a page twice"),
        ("empty-pages", 1, "20 empty pages in a row"),
    ],
)
def test_a_walk_without_an_end_is_ended(erp: Hostile, path: str, pages: int, doubt: str) -> None:
    """What came is kept, nobody is there twice, and nothing is certified."""
    reading = connector(erp, path).read()
    assert not reading.certificate.complete
    assert doubt in " ".join(reading.certificate.doubts)
    assert reading.certificate.pages == pages
    assert erp.asked[path] <= 20
    assert reading.customers["erp_id"].n_unique() == reading.customers.height


def test_a_total_that_grows_with_us_proves_nothing(erp: Hostile) -> None:
    """It equals the rows on every page."""
    certificate = connector(erp, "growing-total", total="total").read().certificate
    assert certificate.total == certificate.rows == 9
    assert not certificate.complete


@pytest.mark.parametrize("path", ["redirect", "next-elsewhere"])
def test_nobody_leads_us_elsewhere(erp: Hostile, path: str) -> None:
    """Our key would go with us."""
    paging = {"kind": "next_url", "at": "next"}
    with pytest.raises((SettingsWrong, ContractChanged)) as told:
        connector(erp, path, paging=paging).read()
    assert erp.asked["stolen"] == 0
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("path", ["page-as-json", "two-documents", "ids-of-all-sorts"])
def test_what_is_not_what_it_says(erp: Hostile, path: str) -> None:
    with pytest.raises(ConnectorError) as told:
        connector(erp, path).read()
    assert told.value.what.endswith(".")


def test_the_label_does_not_matter(erp: Hostile) -> None:
    """JSON that calls itself a page is read: many an ERP does so."""
    assert connector(erp, "json-as-page").read().certificate.complete


def test_one_id_as_number_and_text(erp: Hostile) -> None:
    """1, "1" and 1.0 are one id: with different content it is nobody's this time."""
    reading = connector(erp, "one-id-two-types").read()
    assert reading.conflicting_ids == ("1",)
    assert not reading.certificate.complete
    assert reading.customers.is_empty()


def test_large_values_are_values(erp: Hostile) -> None:
    """A number of forty digits is an id to the last digit; thousands of keys do not become thousands of columns."""
    reading = connector(erp, "large-values").read()
    assert set(reading.customers["erp_id"]) == {str(10**40), "2"}
    assert len(reading.columns) <= 201
