"""When changes are enough, and when everything is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest

from clubsync.config import ClubConfig
from clubsync.extract.incremental import since

if TYPE_CHECKING:
    from clubsync.store.queries import ClubStateRow

CLUB = ClubConfig(
    id="c", name="C", erp="mindbody", connection="c", full_read="24h", timezone="Europe/Paris"
)
COMPLETE = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)  # midnight in Paris
MINUTE = timedelta(minutes=1)


def state(complete: datetime | None = COMPLETE, **more: object) -> ClubStateRow:
    """What `since` looks at of a club's state."""
    looked_at = {
        "certified_as_of": complete,
        "confirmed_empty": False,
        "confirmed_same_club": False,
        **more,
    }
    return cast("ClubStateRow", looked_at)


def test_a_club_that_was_never_read_is_read_whole() -> None:
    assert since(CLUB, state(None), None, COMPLETE) is None


def test_changes_since_the_last_complete_reading() -> None:
    assert since(CLUB, state(), COMPLETE, COMPLETE + 5 * MINUTE) == COMPLETE
    assert since(CLUB, state(), COMPLETE, NIGHT - MINUTE) == COMPLETE


def test_the_club_s_own_day_begins_with_a_whole_reading() -> None:
    """R3: whose day has come is not among the changes."""
    assert since(CLUB, state(), COMPLETE, NIGHT) is None


def test_as_often_as_the_club_says() -> None:
    hourly = CLUB.model_copy(update={"full_read": timedelta(hours=1)})
    assert since(hourly, state(), COMPLETE, COMPLETE + 59 * MINUTE) == COMPLETE
    assert since(hourly, state(), COMPLETE, COMPLETE + 60 * MINUTE) is None


@pytest.mark.parametrize(("minutes", "whole"), [(5, False), (59, False), (60, True)])
def test_one_that_did_not_come_whole_is_not_tried_again_at_once(minutes: int, whole: bool) -> None:
    """The quota of a day is not eaten up in an hour; changes go on meanwhile."""
    found = since(CLUB, state(), NIGHT, NIGHT + minutes * MINUTE)
    assert found == (None if whole else COMPLETE)


def test_an_old_try_holds_nothing_up() -> None:
    assert since(CLUB, state(), COMPLETE - MINUTE, NIGHT) is None


@pytest.mark.parametrize("said", ["confirmed_empty", "confirmed_same_club"])
def test_what_a_person_has_confirmed_is_read_whole(said: str) -> None:
    """R14: that it is empty, or right, is judged by everything."""
    assert since(CLUB, state(COMPLETE, **{said: True}), COMPLETE, COMPLETE + MINUTE) is None
