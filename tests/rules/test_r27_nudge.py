"""R27: a nudge is only a hint to read that club now."""

from __future__ import annotations

from tests.support.club import ERP_NAME, Club


def test_r27_a_nudged_club_is_read_now_whatever_its_cadence(club: Club) -> None:
    """ "a hint to read that club ... now": not due by its cadence, read nevertheless; what changed is in."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.put("2", "b@x.fr")
    assert club.pipeline().due(ERP_NAME, club.now) == []
    assert club.pipeline().due(ERP_NAME, club.now, clubs=[club.id]) == [club.id]
    club.sync()
    assert club.inside() == {"1", "2"}


def test_r27_it_is_only_a_hint(club: Club) -> None:
    """Nothing is believed but what the ERP then says: nudged for nothing, or twice, nothing is written."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    base = club.base()
    for _ in range(2):
        assert club.sync()["rows_written"] == 0
    assert club.base() == base


def test_r27_the_cadence_goes_on(club: Club) -> None:
    """A reading in between does not put the club's own turn off for longer than its cadence."""
    club.erp.put("1", "a@x.fr")
    club.at("2026-03-02T10:07")
    club.sync()
    club.at("2026-03-02T10:15")
    assert club.pipeline().due(ERP_NAME, club.now) == [club.id]
