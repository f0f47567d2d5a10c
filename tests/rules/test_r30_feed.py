"""R30: the change feed, as a reader sees it: exactly the audit, in order, from any point."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clubsync.config import Config
from clubsync.errors import CursorGone, CursorInvalid
from clubsync.feed import events
from clubsync.feed.cursor import LATEST, START, Cursor
from clubsync.feed.events import Event
from clubsync.manual import erasure, lifecycle
from clubsync.operate.retention import upkeep
from clubsync.store.database import Base, queries
from tests.support.club import Club
from tests.support.rules import NewClub

Row = tuple[int, str, int, str | None, dict[str, Any] | None, dict[str, Any] | None]


def read(
    base: Base,
    after: str = START,
    *,
    size: int = 100,
    club: Club | None = None,
    clubs: tuple[Club, ...] = (),
    kinds: tuple[str, ...] = (),
) -> tuple[list[Event], str]:
    """All events after a cursor, page by page, and the cursor after them."""
    found: list[Event] = []
    while True:
        page = events.page(
            base,
            after,
            club=None if club is None else club.number,
            clubs=[one.number for one in clubs] or None,
            kinds=kinds or None,
            values=True,
            limit=size,
        )
        found += page.events
        assert str(page.next) != after or not page.more, "a page that leads nowhere"
        after = str(page.next)
        if not page.more:
            return found, after


def told(found: list[Event]) -> list[Row]:
    return [(e.run, e.kind, e.customer, e.reason, e.before, e.after) for e in found]


def audited(club: Club) -> list[Row]:
    """The audit in the order in which its transactions were: here each run is one."""
    rows = club.rows(
        "select run, kind, customer, reason, before::jsonb, after::jsonb from sync.change"
        " where club = %s order by run, change",
        club.number,
    )
    return [(r, k, c, why, before, after) for r, k, c, why, before, after in rows]


def put(club: Club, *ids: str) -> None:
    for one in ids:
        club.erp.put(one, f"p{one}@mail.example.org")


def some_changes(club: Club) -> None:
    """An addition, a deactivation, a reactivation, an email change, and a merge."""
    put(club, "1", "2", "3", "4")
    club.sync()
    club.erp.change("1", status="archived")
    club.erp.change("2", email="new@mail.example.org")
    club.sync()
    club.erp.change("1", status="active")
    club.erp.change("3", replaced_by="4")
    club.sync()
    club.add_by_hand("hand@mail.example.org")


def test_r30_every_change_is_told_as_the_audit_has_it(club: Club, shared_base: Base) -> None:
    """ "every addition, deactivation, reactivation, email change and merge exactly as the audit has it"."""
    some_changes(club)
    found, _ = read(shared_base, club=club)
    assert told(found) == audited(club)
    kinds = {event.kind for event in found}
    assert {"addition", "deactivation", "reactivation", "email_change", "merge"} <= kinds
    assert {event.club for event in found} == {club.id}
    access = {(event.kind, event.access) for event in found}
    assert {("addition", True), ("deactivation", False), ("email_change", None)} <= access


def test_r30_without_personal_values_unless_asked_for(club: Club, shared_base: Base) -> None:
    some_changes(club)
    page = events.page(shared_base, START, club=club.number)
    assert page.events
    assert {(event.before, event.after) for event in page.events} == {(None, None)}
    assert "mail.example.org" not in repr(page)
    assert "before" not in page.events[0].document(values=False)


def test_r30_the_same_events_for_ever(club: Club, shared_base: Base) -> None:
    """ "at least once, resumable from any point"."""
    some_changes(club)
    found, end = read(shared_base, club=club)
    for n, event in enumerate(found):
        assert told(read(shared_base, event.id, club=club)[0]) == told(found[n + 1 :])
    assert read(shared_base, end, club=club) == ([], end)
    put(club, "9")
    club.sync()
    assert [e.kind for e in read(shared_base, end, club=club)[0]] == ["addition"]
    assert read(shared_base, club=club)[0][: len(found)] == found


def test_r30_the_latest_is_what_comes_from_now_on(club: Club, shared_base: Base) -> None:
    some_changes(club)
    (none, end) = read(shared_base, LATEST, club=club)
    assert none == []
    put(club, "9")
    club.sync()
    assert len(read(shared_base, end, club=club)[0]) == 1


def test_r30_a_transaction_that_commits_late_is_not_missed(
    new_club: NewClub, shared_base: Base
) -> None:
    """Numbers are taken before the commit: whoever is at the end has everything below it nevertheless."""
    early, late = new_club(), new_club()
    put(early, "1")
    put(late, "1")
    late.sync()
    early.at(late.now)
    early.sync()
    _, end = read(shared_base, LATEST)
    writing, may_commit = threading.Event(), threading.Event()

    def write_late() -> None:
        with late.driver() as driver:
            _write(driver, late, "x")
            writing.set()
            may_commit.wait(60)

    other = threading.Thread(target=write_late)
    other.start()
    assert writing.wait(60)
    put(early, "2")
    early.sync()  # its numbers are higher, and it commits first
    found, end = read(shared_base, end, clubs=(early, late))
    assert [(e.club, e.kind) for e in found] == [(early.id, "addition")]
    may_commit.set()
    other.join(60)
    found, end = read(shared_base, end, clubs=(early, late))
    assert [(e.club, e.kind) for e in found] == [(late.id, "x")]
    assert read(shared_base, end, clubs=(early, late))[0] == []


def _write(driver: Any, club: Club, kind: str) -> None:
    sql, at = queries(), datetime.now(UTC)
    sql.lock_club(driver, club=club.number)
    run = sql.start_run(driver, club=club.number, trigger="test", at=at)
    sql.enter_feed(driver, club=club.number, run=run)
    sql.add_change(
        driver,
        club=club.number,
        run=run,
        at=at,
        kind=kind,
        customer=1,
        erp_id=None,
        before=None,
        after="{}",
        reason="test",
        actor="somebody",
    )


def test_r30_in_a_club_the_order_is_that_of_the_lock(club: Club, shared_base: Base) -> None:
    """The audit's own numbers say nothing between sessions: each takes a thousand of them at a time."""
    put(club, "1")
    club.sync()
    _, end = read(shared_base, LATEST)
    url = shared_base.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as first, psycopg.connect(url) as second:
        for n in range(6):
            driver = (first, second)[n % 2]
            driver.execute("set local role clubsync_club")
            driver.execute("select set_config('clubsync.club', %s, true)", [str(club.number)])
            _write(driver, club, f"kind_{n}")
            driver.commit()
    found, _ = read(shared_base, end, club=club)
    assert [e.kind for e in found] == [f"kind_{n}" for n in range(6)]
    changes = [e.cursor.change for e in found]
    assert changes != sorted(changes), "else this test shows nothing"


def test_r30_no_audit_row_is_outside_the_feed(club: Club) -> None:
    """Neither of a run without an entry, nor of one whose entry may have been read already."""
    put(club, "1")
    club.sync()
    row = "insert into sync.change (club, run, at, kind, customer) values (%s, %s, now(), 'x', 1)"
    ((run,),) = club.rows("select max(run) from sync.feed where club = %s", club.number)

    def write(number: int) -> None:
        with club.driver() as driver:
            queries().enter_feed(driver, club=club.number, run=run)
            driver.execute(row, [club.number, number])

    for number in (run, 10**9):
        with pytest.raises(Exception, match="without an entry of the feed"):
            write(number)


def test_r30_an_erased_person_is_gone_from_the_feed_too(club: Club, shared_base: Base) -> None:
    """R20. Readers learn whom to erase; a cursor that was theirs still works."""
    put(club, "1", "2", "3")
    club.sync()
    club.erp.change("2", email="secret@mail.example.org")
    club.sync()
    customer = club.base()["2"]["id"]
    before, _ = read(shared_base, club=club)
    theirs = [e.id for e in before if e.customer == customer]
    erasure.erase(shared_base, club.pipeline().store, club.config, "2", by="somebody")
    after, _ = read(shared_base, club=club)
    assert "secret" not in repr(after)
    assert [e.kind for e in after if e.customer == customer] == ["erasure"]
    assert [e for e in before if e.customer != customer] == [
        e for e in after if e.customer != customer
    ]
    for cursor in theirs:
        assert read(shared_base, cursor, club=club)[0][-1].kind == "erasure"
    assert told(after) == audited(club)


def test_r30_a_cursor_of_another_base_is_refused(club: Club, shared_base: Base) -> None:
    """The base was restored from a backup, or replaced: that is said, and not passed over in silence."""
    put(club, "1")
    club.sync()
    (event,), _ = read(shared_base, club=club)
    ahead = Cursor(event.cursor.position + 10**6, 1, 7)
    replaced = Cursor(event.cursor.position, event.cursor.change, event.cursor.mark ^ 1)
    for cursor in (ahead, replaced):
        for number in (club.number, None):
            with pytest.raises(CursorGone, match="restored or replaced"):
                events.page(shared_base, str(cursor), club=number)
    for text in ("1", "x", "1.2.3", "0.0.00000000", "-1.1.00000000", "1.1.0000000g"):
        with pytest.raises(CursorInvalid):
            events.page(shared_base, text)


def test_r30_a_club_that_was_removed_is_gone_from_the_feed(
    new_club: NewClub, shared_base: Base
) -> None:
    """R28: its rows are deleted. A reader of all clubs goes on; one of the club is told; no position comes again."""
    gone, other = new_club(), new_club()
    put(other, "1")
    other.sync()
    gone.at(other.now)
    put(gone, "1")
    gone.sync()
    found, end = read(shared_base, clubs=(gone, other))
    assert [e.club for e in found] == [other.id, gone.id]
    head = events.number(shared_base)
    lifecycle.remove(shared_base, gone.config, timedelta(0))
    gone.later(days=1)
    upkeep(shared_base, gone.pipeline().store, Config(clubs=(gone.config,)), timedelta(days=365))
    assert events.number(shared_base) == head
    other.at(gone.now)
    put(other, "2")
    other.sync()
    assert [e.club for e in read(shared_base, end, clubs=(other,))[0]] == [other.id]
    with pytest.raises(CursorGone, match="data were deleted"):
        events.page(shared_base, end, club=other.number)


ACTIONS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(("put", "archive", "email", "hand"))),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ACTIONS, st.integers(1, 7), st.randoms())
def test_r30_read_by_any_page_size_and_resumed_anywhere_it_equals_the_audit(
    new_club: NewClub,
    shared_base: Base,
    actions: list[tuple[int, str]],
    size: int,
    random: Any,
) -> None:
    """Of one club, of several, and of some kinds only."""
    clubs = (new_club(), new_club())
    _, start = read(shared_base, LATEST)
    for n, (which, what) in enumerate(actions):
        club = clubs[which]
        club.at(max(one.now for one in clubs))
        if what == "hand":
            club.add_by_hand(f"hand{n}@mail.example.org")
            continue
        if what == "put":
            put(club, *(f"{n}{part}" for part in range(random.randint(1, 4))))
        elif club.erp.records:
            someone = random.choice(sorted(club.erp.records))
            changed = (
                {"status": "archived"} if what == "archive" else {"email": f"e{n}@mail.example.org"}
            )
            club.erp.change(someone, **changed)
        club.sync()
    whole, end = read(shared_base, start, size=size, clubs=clubs)
    for club in clubs:
        mine = [e for e in whole if e.club == club.id]
        assert told(mine) == (audited(club) if club.number else [])
        if club.number:
            assert read(shared_base, start, size=size, club=club)[0] == mine
    assert len({e.id for e in whole}) == len(whole)
    if whole:
        at = random.randrange(len(whole))
        assert read(shared_base, whole[at].id, size=size, clubs=clubs)[0] == whole[at + 1 :]
        kind = whole[at].kind
        some = read(shared_base, start, size=size, clubs=clubs, kinds=(kind,))
        assert some[0] == [e for e in whole if e.kind == kind]
    assert read(shared_base, end, size=size, clubs=clubs)[0] == []
