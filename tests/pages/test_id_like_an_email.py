"""R19, R20, R24: an ERP id is whatever the ERP writes: also the email of somebody else."""

from __future__ import annotations

import pytest

from tests.pages.conftest import Site
from tests.pages.test_pages import text

OF_BEN = "ben.new@mail.example.org"
"""The email of customer 2, and the id of a record that is not theirs."""


@pytest.fixture
def mixed(site: Site) -> Site:
    site.club.erp.put(OF_BEN, "mona@mail.example.org", first_name="Mona", last_name="Mixed")
    site.club.sync()
    assert {"2", OF_BEN} <= site.club.inside()
    return site


def test_a_person_is_shown_and_erased_by_their_id_alone(mixed: Site) -> None:
    """Erasure is permanent: nobody goes whose email the id happens to be."""
    page = text(mixed.page("viewer", f"/person?erp_id={OF_BEN}"))
    assert f"ERP customer {OF_BEN} is in the Customers group" in page
    assert "M… M…" in page
    answer = mixed.program("admin").post(
        f"/api/v1/clubs/{mixed.club.id}/erase", json={"erp_id": OF_BEN}
    )
    assert answer.status_code == 200, answer.text
    assert (answer.json()["detail"]["customers"], answer.json()["detail"]["records"]) == (1, 1)
    assert "2" in mixed.club.inside()
    assert OF_BEN not in mixed.club.base()
    assert mixed.club.base()["2"]["email"] == OF_BEN


def test_an_email_still_means_whoever_has_it(mixed: Site) -> None:
    answer = mixed.program("viewer").post("/api/v1/why", json={"who": OF_BEN.upper()})
    assert answer.json()["answer"]["who"]["erp_id"] == "2"
