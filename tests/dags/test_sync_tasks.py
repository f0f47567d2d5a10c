"""The tasks around the engine: who is due, in which batches, who is retried, and what is red."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.execution_time.context import OutletEventAccessors
from hypothesis import given
from hypothesis import strategies as st

from clubsync.chains import Chain
from clubsync.model import PAST, Step
from clubsync.store import handed_on
from plugins.orchestration import assets, dag_builder, handing, notes, sync_tasks
from plugins.orchestration.failures import (
    ClubFailed,
    ClubRetryPolicy,
    DatabaseRetryPolicy,
    RunFailed,
    Unavailable,
    explain_failure,
    waits,
)
from plugins.orchestration.handing import Ref

END = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)


def step(club: str, error: str | None = None, **fields: object) -> Step:
    """A club's step, done or failed."""
    made = sync_tasks._lost(club, club.title())
    made.update({"error": error, "remedy": None, "runbook": None, "counts": {"addition": 2}})
    made.update(fields)  # type: ignore[typeddict-item]  # any field, by name
    return made


BASE: Any = None
"""In place of the club base: `kept` has what is handed on."""


class Engine:
    """In place of the pipeline: answers what it was given, remembers what it was asked."""

    base = BASE

    def __init__(self, *answers: Step) -> None:
        self.answers = {answer["club"]: answer for answer in answers}
        self.asked: list[tuple[object, ...]] = []
        self.explain = True

    def due(self, erp: str, at: datetime, clubs: Sequence[str] | None = None) -> list[str]:
        self.asked.append((erp, at, clubs))
        return list(clubs) if clubs else ["paris"]

    def sync(self, clubs: list[str], trigger: str, full: bool, dry_run: bool) -> list[Step]:
        self.asked.append((clubs, trigger, full, dry_run))
        return [self.answers[club] for club in clubs]


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What tasks hand on, in this process."""
    stored: list[bytes] = []

    def put(_: object, content: Sequence[Any]) -> int:
        stored.append(handed_on.pack(content))
        return len(stored) - 1

    @contextlib.contextmanager
    def club_base() -> Iterator[Any]:
        yield BASE

    monkeypatch.setattr(handed_on, "put", put)
    monkeypatch.setattr(handed_on, "take", lambda _, number: handed_on.unpack(stored[number]))
    monkeypatch.setattr(sync_tasks, "club_base", club_base)
    return stored


def due(*dealt: Sequence[str]) -> list[Ref]:
    """What `find_due` returns of these batches."""
    return [handing.clubs(BASE, batch, batch) for batch in dealt]


def loaded(*steps: Step) -> Ref:
    """What `load` returns of a batch."""
    return handing.steps(BASE, steps)


def refs(found: object) -> list[Any]:
    """What lies there."""
    return list(handing.all_taken(BASE, found))  # type: ignore[arg-type]  # a reference, or several


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, clubs_yaml: Path) -> Engine:
    fake = Engine(step("paris"), step("lyon", "It answered 500.", transient=True))

    @contextlib.contextmanager
    def pipeline() -> Iterator[Engine]:
        yield fake

    monkeypatch.setattr(sync_tasks, "pipeline", pipeline)
    return fake


class Task:
    """In place of the task instance."""

    def __init__(self) -> None:
        self.try_number, self.dag_id = 1, "sync_csv"
        self.pushed: dict[str, str] = {}

    def xcom_push(self, key: str, value: str) -> None:
        self.pushed[key] = value


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    given = {
        "params": {"clubs": [], "full": False, "dry_run": False},
        "dag_run": SimpleNamespace(run_type="scheduled", data_interval_end=END),
        "ti": Task(),
        "outlet_events": OutletEventAccessors(),
    }
    for module in (sync_tasks, assets):
        monkeypatch.setattr(module, "get_current_context", lambda: given)
    return given


# --- when and how many ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (1, "*/1 * * * *"),
        (5, "*/5 * * * *"),
        (7, "*/6 * * * *"),
        (45, "*/30 * * * *"),
        (60, "0 */1 * * *"),
        (300, "0 */4 * * *"),
        (2000, "0 0 * * *"),
    ],
)
def test_the_schedule_is_even_and_never_slower_than_the_fastest_club(
    minutes: int, expected: str
) -> None:
    assert dag_builder.cron(timedelta(minutes=minutes)) == expected


@given(clubs=st.integers(0, 3000), slots=st.integers(1, 64))
def test_batches_use_the_slots_and_are_worth_a_task(clubs: int, slots: int) -> None:
    ids = [str(number) for number in range(clubs)]
    dealt = sync_tasks.batches(ids, slots)
    assert [club for batch in dealt for club in batch] == ids
    assert len(dealt) <= slots
    if len(dealt) > 1:
        assert min(map(len, dealt[:-1])) >= sync_tasks.SMALLEST_BATCH
    if clubs >= slots * sync_tasks.SMALLEST_BATCH * 2:
        assert len(dealt) >= slots - 1


@given(
    chained=st.lists(st.integers(1, 40), max_size=8),
    alone=st.integers(0, 300),
    slots=st.integers(1, 16),
)
def test_r29_the_clubs_of_a_chain_share_a_batch(chained: list[int], alone: int, slots: int) -> None:
    of = {
        f"{chain}-{club}": Chain(str(chain), "tenant", ())
        for chain, clubs in enumerate(chained)
        for club in range(clubs)
    }
    ids = [*of, *map(str, range(alone))]
    ids = ids[::2] + ids[1::2]
    dealt = sync_tasks.batches(ids, slots, of)
    assert sorted(club for batch in dealt for club in batch) == sorted(ids)
    assert len(dealt) <= slots
    for chain in range(len(chained)):
        batches = [b for b in dealt if any(club.startswith(f"{chain}-") for club in b)]
        assert len(batches) == 1


def test_an_erp_without_clubs_has_no_dag(clubs_yaml: Path) -> None:
    assert dag_builder.sync_dag("tryton") is None
    assert dag_builder.sync_dag("planity") is not None


def test_a_scheduled_run_asks_who_is_due_at_the_end_of_its_interval(
    engine: Engine, context: dict[str, Any]
) -> None:
    (batch,) = sync_tasks.find_due("eversports")
    assert batch == {"handed_on": 0, "clubs": 1, "label": "Boulder Paris"}
    assert refs(batch) == ["paris"]
    assert engine.asked == [("eversports", END, None)]


def test_by_hand_without_a_choice_all_clubs_of_the_erp_are_read(
    engine: Engine, context: dict[str, Any]
) -> None:
    context["dag_run"].run_type = "manual"
    assert refs(sync_tasks.find_due("eversports")) == ["paris", "lyon"]


def test_a_club_of_another_erp_is_refused(engine: Engine, context: dict[str, Any]) -> None:
    context["params"]["clubs"] = ["lille"]
    with pytest.raises(RunFailed, match="no club lille"):
        sync_tasks.find_due("eversports")


def test_a_batch_bears_the_names_of_its_clubs(clubs_yaml: Path) -> None:
    def label(given: Ref) -> str:
        return sync_tasks.instance_label(SimpleNamespace(op_args=(), op_kwargs={"clubs": given}))

    batch = handing.clubs(BASE, ["paris", "lyon"], ["Boulder Paris", "Yoga Lyon"])
    assert label(batch) == "Boulder Paris, Yoga Lyon"
    assert label(loaded(*(step(str(n)) for n in range(30)))) == "0 and 29 more"
    assert label(loaded(step("paris"))) == "Paris"
    # before the stage begins, it is known who failed in an earlier one
    assert label(loaded(step("paris", "Down."), step("lyon"))) == "1 of 2 clubs failed: Paris"
    # of very many batches the references go without
    assert label(Ref(handed_on=1, clubs=1)) == "1 club"
    assert label(Ref(handed_on=1, clubs=400)) == "400 clubs"


def test_a_green_row_never_looks_as_if_a_failed_club_had_succeeded() -> None:
    def of(*failed: str) -> str:
        clubs = ("a", "b", "c", "d", "e")
        return notes.label([step(one, "Down." if one in failed else None) for one in clubs])

    assert of() == "A and 4 more"
    assert of("b") == "1 of 5 clubs failed: B"
    assert of("b", "c", "d", "e") == "4 of 5 clubs failed: B and 3 more"
    assert notes.label([step("paris", "Down.")]) == "failed: Paris"
    long = [step("x" * 200, "Down."), step("y" * 200, "Down.")]
    assert len(notes.label(long)) == notes.LONGEST_LABEL


def test_a_row_has_its_label_before_its_task_ends_and_after(clubs_yaml: Path) -> None:
    """Airflow's templates are strict: an unknown name is an error, which it keeps to itself."""
    dag = dag_builder.sync_dag("eversports")
    assert dag is not None
    (failed,) = handing.each(BASE, [step("paris", "Down.")], [["Paris"]])
    given = {"op_args": (), "op_kwargs": {"failed": failed}}
    template = dag.get_template_env().from_string(
        str(dag.get_task("retry_club").map_index_template)
    )
    assert template.render({"task": SimpleNamespace(**given)}) == "Paris"
    assert template.render({notes.LABEL: "failed: Paris"}) == "failed: Paris"


def test_a_stage_tells_its_row_who_failed(context: dict[str, Any]) -> None:
    engine: Any = Engine()
    sync_tasks._handed_on(engine, [step("paris"), step("lyon", "It answered 500.")])
    assert context[notes.LABEL] == "1 of 2 clubs failed: Lyon"


def test_the_note_of_a_run_names_the_clubs_that_failed(
    context: dict[str, Any], clubs_yaml: Path
) -> None:
    both, ended = due(["paris", "lyon"]), loaded(step("paris"), step("lyon", "It answered 500."))
    with pytest.raises(RunFailed):
        sync_tasks.report(both, [ended], None)
    assert context["ti"].pushed == {"note": "Not synced: Lyon."}
    # the retry heals it, or somebody clears it later: the note goes
    sync_tasks.report(both, [ended], [loaded(step("lyon"))])
    assert context["ti"].pushed == {"note": ""}
    many = [step(f"club-{n:04}", "Down.") for n in range(400)]
    with pytest.raises(RunFailed):
        sync_tasks.report(due([one["club"] for one in many]), [loaded(*many)], None)
    note = context["ti"].pushed["note"]
    assert note.endswith("and 392 more.")
    assert len(note) <= notes.LONGEST_NOTE


def test_r26_the_note_of_a_backfill_says_what_its_interval_was_filled_from(
    context: dict[str, Any], clubs_yaml: Path
) -> None:
    at = "2026-11-21T10:03:00+00:00"
    filled = [
        step("paris", past="stored", as_of=at),
        step("lyon", past="stored", as_of=at),
        step("lille", past="covered", as_of=None),
    ]
    sync_tasks.report(due(["paris", "lyon", "lille"]), [loaded(*filled)], None)
    assert context["ti"].pushed["note"].splitlines() == [
        "Paris, Lyon: filled from the snapshot stored then (as of 21 Nov 2026, 10:03 UTC).",
        "Lille: filled from a later reading, which covers it.",
    ]


def test_r26_every_source_of_an_interval_has_its_words() -> None:
    assert set(notes.FILLED_FROM) == set(PAST)


def test_a_club_is_found_by_its_id_or_its_name(
    engine: Engine, context: dict[str, Any], clubs_yaml: Path
) -> None:
    """Of more than a hundred clubs the form offers none."""
    for asked in ("paris", " paris ", "boulder PARIS"):
        context["params"]["club"] = asked
        (synced,) = refs(sync_tasks.sync_chosen())
        assert synced["club"] == "paris"
        assert context["ti"].pushed["note"] == "Paris: addition 2."
    context["params"]["club"] = "pariss"
    with pytest.raises(RunFailed, match=r"no club of that id or name\. Did you mean paris"):
        sync_tasks.sync_chosen()


def test_the_note_of_a_run_of_one_club_names_it(
    engine: Engine, context: dict[str, Any], clubs_yaml: Path
) -> None:
    context["params"]["club"] = "lyon"
    with pytest.raises(ClubFailed):
        sync_tasks.sync_chosen()
    assert context["ti"].pushed["note"] == "Not synced: Lyon."
    assert engine.explain is False, "what went wrong is said once, at the end of the log"


def test_a_form_offers_a_hundred_clubs_and_takes_the_id_of_any_of_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dags(count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        path = tmp_path / f"{count}.yaml"
        path.write_text(
            "clubs:\n"
            + "".join(
                f"  - {{id: c{n}, name: Club {n}, erp: planity, connection: c}}\n"
                for n in range(count)
            )
        )
        monkeypatch.setenv("CLUBSYNC_CONFIG", str(path))
        erp = dag_builder.sync_dag("planity")
        assert erp is not None
        one = dag_builder.sync_one_dag()
        return one.params.get_param("club").schema, erp.params.get_param("clubs").schema

    one, several = dags(100)
    assert len(one["examples"]) == len(several["examples"]) == 100
    assert "enum" not in one, "a club that was just added could not be synced"
    assert one["values_display"]["c7"] == "Club 7"
    one, several = dags(101)
    assert "examples" not in one
    assert "examples" not in several
    assert "values_display" not in several
    assert one["type"] == "string"


# --- who is tried again -----------------------------------------------------------------------


def test_clubs_with_an_error_and_clubs_of_a_lost_batch_are_tried_again(clubs_yaml: Path) -> None:
    ended = loaded(step("paris"), step("lyon", "It answered 500."))
    mapped = sync_tasks.collect_failures(due(["paris", "lyon"], ["lille"]), [ended, None])
    assert [ref["label"] for ref in mapped] == ["Lyon", "Salon Lille"]
    found = refs(mapped)
    assert [(s["club"], s["name"]) for s in found] == [("lyon", "Lyon"), ("lille", "Salon Lille")]
    assert "was interrupted" in str(found[1]["error"])


def test_the_value_of_an_only_batch_comes_unwrapped(clubs_yaml: Path) -> None:
    only = loaded(step("paris"), step("lyon", "It answered 500."))
    found = refs(sync_tasks.collect_failures(due(["paris", "lyon"]), only))
    assert [s["club"] for s in found] == ["lyon"]


def test_r29_a_chain_whose_reading_failed_is_retried_in_one_task(
    engine: Engine, context: dict[str, Any], clubs_yaml: Path, caplog: pytest.LogCaptureFixture
) -> None:
    down = [
        step("paris", "Down.", together=["paris", "lyon"], transient=True),
        step("lyon", "Down.", together=["lyon", "paris"], transient=True),
    ]
    both = due(["paris", "lyon"])
    found = sync_tasks.collect_failures(both, [loaded(*down)])
    assert [one["club"] for one in refs(found)] == ["paris"]
    label = sync_tasks.instance_label(SimpleNamespace(op_args=(), op_kwargs={"failed": found[0]}))
    assert label == "Boulder Paris, Yoga Lyon"
    retried = sync_tasks.retry(found[0])
    assert engine.asked[-1][0] == ["paris", "lyon"]
    assert retried["clubs"] == 2
    # of the two one failed alone this time
    with pytest.raises(RunFailed, match="1 of 2 clubs were not synced: Lyon"):
        sync_tasks.report(both, [loaded(*down)], [retried])
    # and where nothing was retried, one failure is told, with its clubs named
    caplog.clear()
    with pytest.raises(RunFailed, match="2 of 2 clubs"):
        sync_tasks.report(both, [loaded(*down)], None)
    told = [record.getMessage() for record in caplog.records]
    assert sum("Down." in line for line in told) == 1
    assert any("2 clubs of a chain were not synced" in line and "lyon" in line for line in told)


def test_when_a_whole_erp_is_down_not_everybody_is_tried_again(clubs_yaml: Path) -> None:
    clubs = [f"club-{number}" for number in range(1500)]
    ended = loaded(*(step(club, "Down.") for club in clubs))
    found = sync_tasks.collect_failures(due(clubs), [ended])
    assert len(found) == sync_tasks.MOST_RETRIED


def test_a_refused_key_is_not_tried_again_by_itself_but_is_when_cleared(
    engine: Engine, context: dict[str, Any]
) -> None:
    refused = step("paris", "It refused our key.", transient=False)
    with pytest.raises(ClubFailed, match="Paris: It refused our key"):
        sync_tasks.retry(loaded(refused))
    assert engine.asked == []
    context["ti"].try_number = 2
    (retried,) = refs(sync_tasks.retry(loaded(refused)))
    assert retried["error"] is None
    assert engine.asked == [(["paris"], "scheduled", False, False)]


def test_a_club_that_fails_again_raises(engine: Engine, context: dict[str, Any]) -> None:
    with pytest.raises(ClubFailed, match="It answered 500"):
        sync_tasks.retry(loaded(step("lyon", "It answered 500.", transient=True)))


@pytest.mark.parametrize("cadence", [timedelta(minutes=1), timedelta(minutes=5), timedelta(days=1)])
def test_waits_stay_within_two_minutes_and_half_the_cadence(cadence: timedelta) -> None:
    pauses = waits(cadence)
    assert pauses == sorted(pauses)
    assert sum(pauses, timedelta()) <= min(timedelta(minutes=2), cadence / 2)


def test_retry_policy() -> None:
    policy = ClubRetryPolicy(waits(timedelta(minutes=5)))

    def decide(
        try_number: int = 1, max_tries: int = 3, **fields: object
    ) -> tuple[str, float | None]:
        failure = ClubFailed(step("paris", "Why.", **fields))
        decision = policy.evaluate(failure, try_number, max_tries)
        delay = decision.retry_delay.total_seconds() if decision.retry_delay else None
        return decision.action.value, delay

    assert [decide(n, transient=True)[1] for n in (1, 2, 3)] == [20, 40, 60]
    assert decide(5, 7, transient=True)[1] == 20  # cleared by hand: from the first pause again
    assert decide(transient=False) == ("fail", None)
    assert decide(transient=True, retry_after=3600.0) == ("fail", None)
    assert decide(transient=True, retry_after=90.0) == ("retry", 90)
    assert policy.evaluate(ValueError(), 1, 3).action is RetryAction.DEFAULT


def test_only_what_may_be_the_database_s_fault_is_retried() -> None:
    policy = DatabaseRetryPolicy()
    assert policy.evaluate(RunFailed("No such club."), 1, 2).action is RetryAction.FAIL
    assert policy.evaluate(Unavailable("Away."), 1, 2).action is RetryAction.DEFAULT
    assert policy.evaluate(ValueError(), 1, 2).action is RetryAction.DEFAULT


# --- what is said -----------------------------------------------------------------------------


def test_green_when_a_retry_healed_it(context: dict[str, Any], clubs_yaml: Path) -> None:
    ended = [loaded(step("paris"), step("lyon", "It answered 500."))]
    sync_tasks.report(due(["paris", "lyon"]), ended, [loaded(step("lyon"))])


def test_green_when_nobody_was_due(context: dict[str, Any], clubs_yaml: Path) -> None:
    sync_tasks.report([], None, None)


@pytest.mark.parametrize("how", ["failed", "interrupted", "none"])
def test_red_when_a_club_finally_failed(
    context: dict[str, Any], how: str, clubs_yaml: Path
) -> None:
    ended: dict[str, list[Ref | None]] = {
        "failed": [loaded(step("lyon", "It answered 500."))],
        "interrupted": [None],
    }
    with pytest.raises(RunFailed, match="1 of 1 clubs were not synced"):
        sync_tasks.report(due(["lyon"]), ended.get(how), [])


def test_red_when_nobody_knows_who_was_due(context: dict[str, Any], clubs_yaml: Path) -> None:
    with pytest.raises(RunFailed, match="which clubs are due"):
        sync_tasks.report(None, None, None)


def test_the_last_lines_of_the_log_are_for_people(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refused = step(
        "paris", "It refused our key.", remedy="Ask for a new one.", runbook="credentials-refused"
    )
    explain_failure({"exception": ClubFailed(refused)})
    *said, runbook, last = [record.message for record in caplog.records][-5:]
    assert said == [
        "Paris (paris) was not synced; its customers are unchanged.",
        "What happened: It refused our key.",
        "What to do: Ask for a new one.",
    ]
    assert runbook.startswith("Runbook: ")
    assert runbook.endswith("/plugin/clubs/clubsync/pages/clubs/paris/runbooks/credentials-refused")
    assert last.startswith("The club's page: ")
    assert last.endswith("/plugin/clubs/clubsync/pages/clubs/paris")


# --- R30: asset events ------------------------------------------------------------------------


def test_r30_each_club_that_was_changed_is_an_asset_event(
    engine: Engine, context: dict[str, Any], clubs_yaml: Path
) -> None:
    """Ids and counts. What failed, changed nothing, or was only planned tells nobody."""
    changed, same, planned = step("paris"), step("lyon"), step("lille")
    changed |= {"run": 7, "rows_written": 4}
    changed["counts"] = {"addition": 2, "merge": 0}
    planned["counts"] = {"addition": 9}
    failed = step("nice", "It answered 500.") | {"rows_written": 1}
    assert assets.announce([changed, same, planned, failed]) == 1
    (event,) = context["outlet_events"][assets.CHANGED].asset_alias_events
    assert event.dest_asset_key.uri == "clubsync://base/paris"
    assert event.extra == {
        "club": "paris",
        "run": 7,
        "changes": {"addition": 2},
        "reading": {"as_of": None, "snapshot": None, "certified": changed["certified"]},
    }


def test_r26_the_event_of_a_backfill_says_what_it_was_filled_from(context: dict[str, Any]) -> None:
    read_now = step("paris", past="read now", as_of="2026-11-21T10:03:00+00:00", rows_written=3)
    assets.announce([read_now])
    (event,) = context["outlet_events"][assets.CHANGED].asset_alias_events
    assert event.extra["filled_from"] == (
        "one reading made now, for all that was missed (as of 21 Nov 2026, 10:03 UTC)"
    )


def test_r30_whatever_loads_tells_it(
    engine: Engine, context: dict[str, Any], clubs_yaml: Path
) -> None:
    engine.answers["lyon"] = step("lyon") | {"rows_written": 3, "counts": {"merge": 1}}
    sync_tasks.retry(loaded(step("lyon", "It answered 500.", transient=True)))
    (event,) = context["outlet_events"][assets.CHANGED].asset_alias_events
    assert event.extra["club"] == "lyon"


def test_r30_every_task_that_loads_has_the_outlet(dags: dict[str, DAG]) -> None:
    loading = {
        (dag_id, task.task_id)
        for dag_id, dag in dags.items()
        for task in dag.tasks
        if assets.CHANGED in task.outlets
    }
    for dag_id in dags:
        if dag_id.startswith("sync_") and dag_id != "sync_one":
            assert {(dag_id, "load"), (dag_id, "retry_club")} <= loading
    assert {("sync_one", "sync_club"), ("held_changes", "decide")} <= loading


def test_r30_the_example_of_the_documents_is_a_dag() -> None:
    """docs/feed.md: a Dag that runs when a club has changed."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "feed.md").read_text()
    (example,) = [
        part for part in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Asset(" in part
    ]
    made: dict[str, Any] = {}
    exec(example, made)  # the file is ours
    dag = made["mailing_dag"]
    assert "clubsync://base/padel-bordeaux" in repr(dag.schedule)
