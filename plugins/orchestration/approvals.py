"""A hold (R15) as a question in Airflow: approve or reject the exact list that was seen.

Each version of a hold's list is a run of `held_changes` of its own. While it waits it costs nothing: no
worker, no wake-up. A hold that emptied, was decided elsewhere (the shell, the pages) or has another list by
now needs no answer any more; `upkeep` clears its run, which then looks, and ends.

The task must not wake by itself and go on waiting: Airflow 3.3 fails a task that is resumed before its
scheduler has noticed that the process before has ended, so an answer given while it looked would be lost.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from plugins.dag_ids import HELD_CHANGES
from plugins.orchestration.failures import without_values

if TYPE_CHECKING:
    from clubsync.manual.holds import ApprovalRequest
    from clubsync.pipeline.engine import Pipeline
    from clubsync.store.database import Base

log = logging.getLogger(__name__)

COMMENT = Param(
    "",
    type=["string", "null"],
    title="Why",
    description="Kept with the decision, for whoever asks later.",
)


class HoldApproval(ApprovalOperator):
    """Asks for a decision on one list of one hold, and carries it out.

    Takes `hold` and `version` from the run's conf, made by `upkeep`. The answer is the task's result: what
    became of the hold. Run again, it asks again, if the list needs an answer still.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(subject="Deactivations wait for a decision", **kwargs)

    @without_values()
    def execute(self, context: Any) -> Any:
        from clubsync.errors import ActionRejected
        from clubsync.manual import holds

        hold, version = _list_of(context)
        with _base() as base:
            try:
                request = holds.approval_request(base, hold, version)
                ended = request.obsolete
            except ActionRejected as gone:
                ended = f"{gone.what} Nothing needs deciding."
            if ended:
                holds.close_request(base, hold, version)
                log.info("%s", ended)
                return {"hold": hold, "ended": ended}
            request.mark_shown(base)
        self.subject, self.body = request.subject, request.markdown()
        log.info("%s\n\n%s", self.subject, self.body)
        return super().execute(context)

    @without_values()
    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        from clubsync.manual import holds

        answer = super().execute_complete(context, event)
        user = answer["responded_by_user"] or {}
        by = user.get("name") or user.get("id") or "somebody in Airflow"
        comment = (answer["params_input"] or {}).get("comment") or None
        hold, version = _list_of(context)
        with _deciding(hold, version) as engine:
            request = holds.approval_request(engine.base, hold, version)
            decide = _approve if answer["chosen_options"] == [self.APPROVE] else _reject
            return decide(engine, request, by, comment)


def _list_of(context: Any) -> tuple[int, int]:
    return context["params"]["hold"], context["params"]["version"]


def _approve(
    engine: Pipeline, request: ApprovalRequest, by: str, comment: str | None
) -> dict[str, Any]:
    step = engine.approve(request.hold, by, request.list_hash, comment)
    if step["error"]:
        raise AirflowFailException(
            f"{step['error']} {step['remedy']} The hold is open still: clear this task to decide again."
        )
    done = step["counts"]["deactivation"]
    log.info("Approved by %s: %d customers lost their access.", by, done)
    return {"hold": request.hold, "state": "approved", "by": by, "deactivations": done}


def _reject(
    engine: Pipeline, request: ApprovalRequest, by: str, comment: str | None
) -> dict[str, Any]:
    made = engine.reject(request.hold, by, request.list_hash, comment)
    log.info("Rejected by %s: %d customers keep their access.", by, made["kept"])
    return dict(made)


@contextmanager
def _deciding(hold: int, version: int) -> Iterator[Pipeline]:
    """The engine; one decision wins, and one that came second turns its run red and says who was first."""
    from clubsync.errors import ActionRejected
    from clubsync.manual import holds
    from plugins.orchestration.sync_tasks import pipeline

    with pipeline() as engine:
        try:
            yield engine
        except ActionRejected as refused:
            holds.close_request(engine.base, hold, version)
            raise AirflowFailException(
                f"Not carried out. {refused.what} {refused.remedy}"
            ) from None
        holds.close_request(engine.base, hold, version)


def _base() -> AbstractContextManager[Base]:
    from clubsync.store.database import Base

    return closing(Base(pool_size=1))


def run_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The run that asks about a list, as arguments of `TriggerDagRunOperator`: one for each list of a hold,
    however often it is started.

    :param row: club_id, hold and version.
    """
    return {
        "trigger_dag_id": HELD_CHANGES,
        "trigger_run_id": f"{row['club_id']}-hold-{row['hold']}-list-{row['version']}",
        "conf": {"club": row["club_id"], "hold": row["hold"], "version": row["version"]},
    }
