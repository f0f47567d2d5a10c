"""A hold (R15) as an approval request in Airflow: approve or reject the exact list that was shown.

Each version of a hold's list has its own run of `held_changes`. While it waits it costs nothing: no worker and no
polling. A hold that was closed, was decided elsewhere (command line, Clubs pages) or has a newer list needs no
decision any more; `upkeep` clears its run, which then checks the hold again, and ends.

The task must not wake up on its own and continue waiting: Airflow 3.3 fails a task that is resumed before the
scheduler has noticed that its previous process ended, so a decision made in that moment would be lost.
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
from plugins.orchestration import assets
from plugins.orchestration.failures import without_values

if TYPE_CHECKING:
    from clubsync.manual.holds import ApprovalRequest
    from clubsync.pipeline.engine import Pipeline
    from clubsync.store.database import Base

log = logging.getLogger(__name__)

COMMENT = Param(
    "",
    type=["string", "null"],
    title="Reason",
    description="Stored with the decision.",
)


class HoldApproval(ApprovalOperator):
    """Requests a decision on one list of one hold, and carries it out.

    `hold` and `version` are in the run's conf, which `upkeep` writes. The task's result is the outcome. Run again, it
    requests a decision again, if the list still needs one.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(subject="Deactivations awaiting approval", **kwargs)

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
                ended = f"{gone.what} No decision is needed."
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
        by = user.get("name") or user.get("id") or "a user of Airflow"
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
            f"{step['error']} {step['remedy']} If the hold is still open, clear this task to decide again."
        )
    assets.announce([step])
    done, merged = step["counts"]["deactivation"], step["counts"]["merge"]
    log.info("Approved by %s: %d customers lost access, %d were merged.", by, done, merged)
    return {
        "hold": request.hold,
        "state": "approved",
        "by": by,
        "deactivations": done,
        "merges": merged,
    }


def _reject(
    engine: Pipeline, request: ApprovalRequest, by: str, comment: str | None
) -> dict[str, Any]:
    made = engine.reject(request.hold, by, request.list_hash, comment)
    log.info("Rejected by %s: %d customers keep access.", by, made["kept"])
    return dict(made)


@contextmanager
def _deciding(hold: int, version: int) -> Iterator[Pipeline]:
    """The engine. The first decision counts; a later one fails its run, which says who decided."""
    from clubsync.errors import ActionRejected
    from clubsync.manual import holds
    from plugins.orchestration.sync_tasks import pipeline

    with pipeline() as engine:
        try:
            yield engine
        except ActionRejected as error:
            holds.close_request(engine.base, hold, version)
            raise AirflowFailException(f"Not carried out. {error.what} {error.remedy}") from None
        holds.close_request(engine.base, hold, version)


def _base() -> AbstractContextManager[Base]:
    from clubsync.store.database import Base

    return closing(Base(pool_size=1))


def run_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The run that requests a decision on a list, as arguments of `TriggerDagRunOperator`: one for each list of a
    hold, however often it is started.

    :param row: club_id, hold and version.
    """
    return {
        "trigger_dag_id": HELD_CHANGES,
        "trigger_run_id": f"{row['club_id']}-hold-{row['hold']}-list-{row['version']}",
        "conf": {"club": row["club_id"], "hold": row["hold"], "version": row["version"]},
    }
