"""What is killed: everything that the product does, each with what was before it and who does it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from clubsync.errors import ActionRejected
from clubsync.manual import app_users, customers, lifecycle, requests
from clubsync.manual.erasure import erase
from clubsync.manual.undo import undo
from clubsync.model import Step
from clubsync.operate import nudges, retention
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base, queries
from tests.kills.world import CLUB, OTHER, World

BY = "Ann"
KEEP = timedelta(days=30)
Act = Callable[[World], None]


@dataclass(frozen=True)
class Action:
    """One thing that is done.

    :param prepare: what was before, in a database that is empty.
    :param act: what is killed.
    :param again: what is done afterwards, by who finds it undone or half done; None: the same once more.
    :param finish: what belongs to it and is not killed: the stages that follow.
    :param erases: nothing of the erased person may be left anywhere.
    :param removes: the club is to be gone, with all its files.
    :param syncs: whether the sync after it is compared too.
    :param late: where it was begun, it is that sync which ends it: nothing is compared before, nor when it was.
    """

    name: str
    prepare: Act
    act: Act
    again: Act | None = None
    finish: Act = lambda world: None
    erases: bool = False
    removes: bool = False
    syncs: bool = False
    late: bool = False

    def repeat(self, world: World) -> None:
        (self.again or self.act)(world)


# --- what was before ----------------------------------------------------------------------------


def found(world: World) -> None:
    """The club is known, and another one beside it, which nothing may touch."""
    world.group("gold")
    world.group("silver")
    for n in range(1, 13):
        world.put(
            str(n),
            f"p{n}@x.fr",
            first_name=f"First{n}",
            last_name=f"Last{n}",
            phone=f"+336000001{n:02}",
            groups=["gold"] if n % 2 else ["silver"],
        )
    world.put("20", "p1@x.fr", first_name="Someone", last_name="Else")  # R7
    world.put("21", "p2@x.fr", first_name="Kid", last_name="Last2", guardian_id="2")  # R8
    world.put("22", "not an email", first_name="Nobody", last_name="There")
    world.put("23", "p23@x.fr", first_name="Frist3", last_name="Last3", phone="+33600000103")  # R23
    world.put("30", "vanish@x.fr", first_name="Vanisha", last_name="Goner", phone="+33660000077")
    world.sync(OTHER)


def loaded(world: World) -> None:
    found(world)
    world.sync()
    world.later()
    with world.engine() as engine:
        user = app_users.register(engine.base, _numbers(engine), "p3@x.fr", confirmed=True)
        other = app_users.register(engine.base, _numbers(engine), "guest@x.fr", confirmed=True)
        world.noted |= {"user": user["id"], "guest": other["id"]}
        customers.add(engine.base, world.club, "hand@x.fr", "Hand", "Made", by=BY)
        customers.add(engine.base, world.club, "p40@x.fr", "First40", "Last40", by=BY)
    world.later()


def edited(world: World) -> None:
    """Everything a run can find to do, with as many access losses as pass the guard."""
    loaded(world)
    edit(world)
    world.later()


def edit(world: World) -> None:
    world.put("31", "p31@x.fr", first_name="First31", last_name="Last31", groups=["gold"])
    world.put("40", "p40@x.fr", first_name="First40", last_name="Last40")  # R1: an adoption
    world.change("3", email="p4@x.fr")  # R9: a swap
    world.change("4", email="p3@x.fr")
    world.change("5", groups=["silver"])
    world.change("6", phone="+33600009999")
    world.change("7", status="archived")
    world.remove("8")
    world.put("32", "p9@x.fr", first_name="First9", last_name="Last9")  # R10: 9 is 32 now
    world.remove("9")
    world.change("30", phone="+33660000077", first_name="Vanisha II")


def many_gone(world: World) -> None:
    loaded(world)
    world.remove("1", "2", "5", "6", "10", "11")
    world.later()


def held(world: World) -> None:
    many_gone(world)
    step = world.sync()
    assert step["hold"] is not None
    world.noted["hold"] = step["hold"]["hold"]
    world.later()


def changed(world: World) -> None:
    """A run that can be undone."""
    edited(world)
    world.noted["run"] = world.sync()["run"]
    world.later()


def undone(world: World) -> None:
    changed(world)
    with world.engine() as engine:
        undo(engine.base, world.config, world.noted["run"], by=BY)
    world.later()


def suspected(world: World) -> None:
    """A walk that misses two, who may have moved (R14)."""
    loaded(world)
    world.page_size = 5
    world.sync()
    world.later()
    world.remove("8", "10")
    assert world.sync()["suspected"] == 2
    world.later()


def suspecting(world: World) -> None:
    loaded(world)
    world.page_size = 5
    world.sync()
    world.remove("8", "10")
    world.later()


def partial(world: World) -> None:
    """A page did not come."""
    edited(world)
    world.lost = frozenset({"10", "11"})


def history(world: World) -> None:
    """Snapshots that a replay finds: whole, partial, and whole."""
    edited(world)
    world.sync()
    world.later()
    world.lost = frozenset({"10"})
    world.change("11", phone="+33600008888")
    world.sync()
    world.lost = frozenset()
    world.later()
    world.change("12", email="new12@x.fr")
    world.sync()
    world.later()


def missed(world: World) -> None:
    """A reading that was stored and not loaded: another process was killed after extract."""
    edited(world)
    with world.engine() as engine:
        engine.extract([CLUB], "scheduled")
    world.later()


def reused(world: World) -> None:
    """An id that shows somebody else."""
    loaded(world)
    world.change("12", email="new@x.fr", first_name="Quite", last_name="Different", phone=None)
    world.sync()
    world.later()


def extracted(world: World) -> None:
    edited(world)
    with world.engine() as engine:
        _note(world, engine.extract([CLUB], "scheduled"))


def validated(world: World) -> None:
    extracted(world)
    with world.engine() as engine:
        _note(world, engine.validate(_steps(world)))


def planned(world: World) -> None:
    validated(world)
    with world.engine() as engine:
        _note(world, engine.diff(_steps(world)))


def old(world: World) -> None:
    """Much that retention deletes."""
    history(world)
    with world.engine() as engine:
        engine.sync([CLUB], "test", dry_run=True)
        engine.extract([CLUB], "killed")
    world.later(days=45)
    world.change("12", phone="+33600007777")
    world.sync()
    world.later()


def due_for_removal(world: World) -> None:
    history(world)
    with world.engine() as engine:
        lifecycle.remove(engine.base, world.club, timedelta(days=1), BY)
    world.later(days=2)


def asked(world: World) -> None:
    loaded(world)
    with world.engine() as engine:
        made = requests.request(engine.base, world.club, str(world.noted["guest"]))
    world.noted["request"] = made["id"]
    world.later()


def reviewed(world: World) -> None:
    """A first plan that somebody has seen and not approved."""
    world.settings["first_sync"] = "review"
    found(world)
    step = world.sync()
    assert step["hold"] is not None
    world.noted["list"] = step["hold"]["list_hash"]
    world.later()


def crowded(world: World) -> None:
    """An open hold, a run to undo, an undone one, a request, old snapshots: for everything at once."""
    loaded(world)
    world.change("5", groups=["silver"])
    world.change("6", phone="+33600009999")
    world.noted["undone"] = world.sync()["run"]
    world.later()
    with world.engine() as engine:
        undo(engine.base, world.config, world.noted["undone"], by=BY)
        made = requests.request(engine.base, world.club, str(world.noted["guest"]))
    world.noted["request"] = made["id"]
    world.later(days=45)
    world.change("12", email="new12@x.fr")
    world.noted["run"] = world.sync()["run"]
    world.later()
    world.remove("1", "2", "10", "11")
    step = world.sync()
    assert step["hold"] is not None
    world.noted["hold"] = step["hold"]["hold"]
    world.later()
    world.put("31", "p31@x.fr", first_name="First31", last_name="Last31", groups=["gold"])
    world.change("3", email="p4@x.fr")
    world.change("4", email="p3@x.fr")


# --- what is done -------------------------------------------------------------------------------


def sync(world: World) -> None:
    world.sync()


def _stage(name: str) -> Act:
    def act(world: World) -> None:
        with world.engine() as engine:
            _note(world, getattr(engine, name)(_steps(world)))

    return act


def extract(world: World) -> None:
    with world.engine() as engine:
        _note(world, engine.extract([CLUB], "scheduled"))


def _rest(*names: str) -> Act:
    """The stages that follow, each in an engine of its own."""

    def act(world: World) -> None:
        for name in names:
            _stage(name)(world)

    return act


def approve(world: World) -> None:
    with world.engine() as engine:
        step = engine.approve(world.noted["hold"], BY)
    assert step["error"] is None, step["error"]


def approve_if_open(world: World) -> None:
    """A decision that comes second is refused, also where it was under way when the first one came."""
    with world.engine() as engine:
        step = engine.approve(world.noted["hold"], BY)
    if step["error"] is not None and "The first decision wins" not in (step["remedy"] or ""):
        raise AssertionError(step["error"])


def reject(world: World) -> None:
    with world.engine() as engine:
        engine.reject(world.noted["hold"], BY)


def undo_run(world: World) -> None:
    with world.engine() as engine:
        undo(engine.base, world.config, world.noted["run"], by=BY)


def redo(world: World) -> None:
    with world.engine() as engine:
        step = engine.redo(world.noted.get("undone") or world.noted["run"], BY)
    assert step["error"] is None, step["error"]


def erase_person(world: World) -> None:
    with world.engine() as engine:
        erase(engine.base, engine.store, world.club, "vanish@x.fr", by=BY)


def keep_house(world: World) -> None:
    """Retention, and what else upkeep takes away."""
    with world.engine() as engine:
        retention.upkeep(engine.base, engine.store, world.config, KEEP)


def migrate(world: World) -> None:
    base = Base(world.url)
    try:
        with base.transaction():
            pass
    finally:
        base.close()


def replay(world: World) -> None:
    with world.engine() as engine:
        steps = engine.replay(CLUB)
    assert [step["error"] for step in steps] == [None] * len(steps)


def backfill(world: World) -> None:
    with world.engine() as engine:
        for hours in range(2):
            start = world.now - timedelta(hours=2 - hours)
            (step,) = engine.backfill([CLUB], start, start + timedelta(hours=1))
            assert step["error"] is None, step["error"]


def move(world: World) -> None:
    with world.engine() as engine:
        lifecycle.move(engine.base, world.club, BY)


def move_unless_moved(world: World) -> None:
    """Who was interrupted looks first: every move begins an epoch."""
    with world.engine() as engine:
        number = engine.club_no(world.club)
        with engine.base.club(number) as driver:
            moved = queries().club_state(driver, club=number)["epoch"] > 1
    if not moved:
        move(world)


def nudge(world: World) -> None:
    with world.engine() as engine:
        nudges.receive(engine.base, CLUB, "webhook", "message-1")


def decide(world: World) -> None:
    with world.engine() as engine:
        step = engine.decide_identity(CLUB, "12", "replace", BY)
    assert step["error"] is None, step["error"]


def add(world: World) -> None:
    with world.engine() as engine:
        customers.add(engine.base, world.club, "new@x.fr", "New", "Comer", by=BY)


def add_again(world: World) -> None:
    """R18: somebody whose addition was undone."""
    with world.engine() as engine:
        customers.add(engine.base, world.club, "p31@x.fr", "First31", "Last31", by=BY)


def edit_by_hand(world: World) -> None:
    """Names and email of one who was added by hand; the email is that of an app user, who is linked."""
    with world.engine() as engine:
        customers.edit(
            *(engine.base, world.club, "hand@x.fr"),
            email="guest@x.fr",
            first_name="Handy",
            phone="0612345678",
            by=BY,
        )


def ask(world: World) -> None:
    with world.engine() as engine:
        requests.request(engine.base, world.club, str(world.noted["guest"]))


def refuse(world: World) -> None:
    with world.engine() as engine:
        requests.refuse(engine.base, world.club, str(world.noted["request"]), by=BY)


def approve_first_sync(world: World) -> None:
    with world.engine() as engine:
        step = engine.approve_first_sync(CLUB, BY, world.noted["list"])
    assert (step["error"], step["hold"]) == (None, None), step


def detach(world: World) -> None:
    with world.engine() as engine:
        customers.detach(engine.base, world.club, "p3@x.fr", by=BY)


def accept(world: World) -> None:
    with world.engine() as engine:
        requests.accept(engine.base, world.club, str(world.noted["request"]), by=BY)


def unless_done(act: Act) -> Act:
    """What a person does who does not know whether it was done: once more, and is told where it was."""

    def again(world: World) -> None:
        try:
            act(world)
        except ActionRejected:
            pass

    return again


def _numbers(engine: Pipeline) -> dict[int, Any]:
    return {engine.club_no(club): club for club in engine.config.clubs if club.id == CLUB}


def _note(world: World, steps: list[Step]) -> None:
    assert [step["error"] for step in steps] == [None] * len(steps), steps
    world.noted["steps"] = [dict(step) for step in steps]


def _steps(world: World) -> list[Step]:
    return [cast("Step", dict(step)) for step in world.noted["steps"]]


ACTIONS = {
    action.name: action
    for action in (
        Action("first sync", found, sync),
        Action("sync", edited, sync),
        Action("sync, guard holds", many_gone, sync),
        Action("sync, a walk suspects", suspecting, sync),
        Action("sync, a walk confirms", suspected, sync),
        Action("sync, a page is missing", partial, sync),
        Action("extract", edited, extract, finish=_rest("validate", "diff", "load")),
        Action("validate", extracted, _stage("validate"), finish=_rest("diff", "load")),
        Action("diff", validated, _stage("diff"), finish=_rest("load")),
        Action("load", planned, _stage("load")),
        Action("load, club retried", planned, _stage("load"), sync),
        Action("approve", held, approve, unless_done(approve), syncs=True),
        Action("reject", held, reject, unless_done(reject), syncs=True),
        Action("undo", changed, undo_run, syncs=True),
        Action("redo", undone, redo, unless_done(redo), syncs=True, late=True),
        Action("erase", changed, erase_person, unless_done(erase_person), erases=True, syncs=True),
        Action("retention", old, keep_house),
        Action("purge", due_for_removal, keep_house, removes=True),
        Action("migrate", lambda world: None, migrate),
        Action("replay", history, replay, syncs=True),
        Action("backfill", missed, backfill, syncs=True),
        Action("move", changed, move, move_unless_moved, syncs=True),
        Action("nudge", loaded, nudge),
        Action("id reused", reused, decide, unless_done(decide), syncs=True, late=True),
        Action("add by hand", loaded, add, unless_done(add)),
        Action("detach", loaded, detach, unless_done(detach)),
        Action("accept", asked, accept, unless_done(accept)),
        Action("add after an undo", undone, add_again, unless_done(add_again), syncs=True),
        Action("edit by hand", loaded, edit_by_hand, unless_done(edit_by_hand), syncs=True),
        Action("request", loaded, ask),
        Action("refuse", asked, refuse, unless_done(refuse)),
        Action(
            "approve first sync",
            reviewed,
            approve_first_sync,
            unless_done(approve_first_sync),
            syncs=True,
        ),
    )
}

#: What two workers do at a time: all of it is about one club, in which everything is under way.
PAIRED = {
    name: Action(name, crowded, unless_done(act))
    for name, act in {
        "two: sync": sync,
        "two: approve": approve_if_open,
        "two: reject": reject,
        "two: undo": undo_run,
        "two: redo": redo,
        "two: erase": erase_person,
        "two: retention": keep_house,
        "two: replay": replay,
        "two: backfill": backfill,
        "two: nudge": nudge,
        "two: add by hand": add,
        "two: detach": detach,
        "two: accept": accept,
    }.items()
}
