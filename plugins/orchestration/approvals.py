"""What awaits a person's approval, as Airflow's own request for it: a hold (R15), and a first sync (R28).

Each version of a hold's list, and each plan of a first sync, has its own run, because Airflow keeps the text of a
request as it was first asked. A hold has one open request at a time: the run of the newest list is started when the
run of the one before has ended. While it waits it costs nothing: no worker and no polling. What was closed, was decided
elsewhere (command line, Clubs pages) or has changed needs no decision any more; `upkeep` clears its run, which then
looks again, and ends. An answer to it is refused at once (`plugins.web.outdated_answers`).

The task must not wake up on its own and continue waiting: Airflow 3.3 fails a task that is resumed before the
scheduler has noticed that its previous process ended, so a decision made in that moment would be lost.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from plugins.dag_ids import FIRST_SYNCS, HELD_CHANGES
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

APPROVE, REJECT = "Approve", "Reject"
SHOWN_AGAIN = "It is shown again within two minutes, if it still awaits a decision."


class Approval(HITLOperator):
    """Requests a decision, and carries it out. The task's result is the outcome.

    Run again, it looks again: it requests the decision again, if there still is something to be decided, or ends.
    """

    def __init__(self, options: Collection[str] = (APPROVE, REJECT), **kwargs: Any) -> None:
        super().__init__(subject="Awaiting approval", options=list(options), **kwargs)

    def _request(self, subject: str, body: str, context: Any) -> Any:
        self.subject, self.body = subject, body
        log.info("%s\n\n%s", self.subject, self.body)
        return super().execute(context)

    def _answer(self, context: Any, event: dict[str, Any]) -> tuple[str, str, str | None]:
        """What was chosen, by whom, and the reason."""
        answer = super().execute_complete(context, event)
        user = answer["responded_by_user"] or {}
        by = user.get("name") or user.get("id") or "a user of Airflow"
        comment = (answer["params_input"] or {}).get("comment") or None
        (chosen,) = answer["chosen_options"]
        return chosen, by, comment


class HoldApproval(Approval):
    """A decision on a list of a hold. `hold` and `version` are in the run's conf, which `upkeep` writes."""

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
                holds.close_request(base, context["run_id"])
                log.info("%s", ended)
                return {"hold": hold, "ended": ended}
            request.mark_shown(base, context["run_id"])
        page = _page(f"clubs/{request.club_id}/holds/{hold}")
        return self._request(request.subject, request.markdown(page), context)

    @without_values()
    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        from clubsync.manual import holds

        option, by, comment = self._answer(context, event)
        hold, version = _list_of(context)
        with _deciding(context["run_id"]) as engine:
            request = holds.approval_request(engine.base, hold, version)
            decide = _approve if option == APPROVE else _reject
            done = decide(engine, request, by, comment)
        if request.version != request.newest:
            log.warning(
                "The decision is about list %d, which was shown; by now there is list %d. Customers who are only on "
                "the newer one keep their access, and are held in a hold of their own.",
                *(request.version, request.newest),
            )
        return {**done, "list": request.version, "newest": request.newest}


def _list_of(context: Any) -> tuple[int, int]:
    return context["params"]["hold"], context["params"]["version"]


class FirstSyncApproval(Approval):
    """An approval of the plan of a first sync. `club` and `plan` are in the run's conf, which `upkeep` writes."""

    @without_values()
    def execute(self, context: Any) -> Any:
        from clubsync.config import load_config
        from clubsync.manual import first_syncs, holds

        club_id, plan = context["params"]["club"], context["params"]["plan"]
        club = next((one for one in load_config().clubs if one.id == club_id), None)
        with _base() as base:
            request = first_syncs.approval_request(base, club) if club else None
            if request is None or request.list_hash != plan:
                holds.close_request(base, context["run_id"])
                ended = f"The first sync of {club_id} does not await approval with this plan."
                log.info("%s", ended)
                return {"club": club_id, "plan": plan, "ended": ended}
            request.mark_shown(base, context["run_id"])
        page = _page(f"clubs/{club_id}/first-sync?list_hash={plan}")
        return self._request(request.subject, request.markdown(page), context)

    @without_values()
    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        _option, by, _comment = self._answer(context, event)
        club_id, plan = context["params"]["club"], context["params"]["plan"]
        with _deciding(context["run_id"]) as engine:
            step = engine.approve_first_sync(club_id, by, plan)
            if step["error"] or step["hold"]:
                why = step["error"] or "The plan has changed since it was shown."
                raise AirflowFailException(
                    f"Not carried out. {why} {step['remedy'] or ''} {SHOWN_AGAIN}"
                )
            assets.announce([step])
        added = step["counts"]["addition"]
        log.info("Approved by %s: %d customers were added.", by, added)
        return {"club": club_id, "plan": plan, "by": by, "run": step["run"], "additions": added}


def _approve(
    engine: Pipeline, request: ApprovalRequest, by: str, comment: str | None
) -> dict[str, Any]:
    step = engine.approve(request.hold, by, request.list_hash, comment)
    if step["error"]:
        raise AirflowFailException(
            f"Not carried out. {step['error']} {step['remedy']} {SHOWN_AGAIN}"
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
        "still_held": step["held"],
    }


def _reject(
    engine: Pipeline, request: ApprovalRequest, by: str, comment: str | None
) -> dict[str, Any]:
    made = engine.reject(request.hold, by, request.list_hash, comment)
    log.info("Rejected by %s: %d customers keep access.", by, made["kept"])
    return dict(made)


@contextmanager
def _deciding(run_id: str) -> Iterator[Pipeline]:
    """The engine. The first decision counts; a later one fails its run, which says who decided. What was not carried
    out and still awaits a decision is requested again, by another look of `upkeep`."""
    from clubsync.errors import ActionRejected
    from clubsync.manual import holds
    from plugins.orchestration.sync_tasks import pipeline

    with pipeline() as engine:
        try:
            yield engine
        except ActionRejected as error:
            holds.close_request(engine.base, run_id)
            raise AirflowFailException(f"Not carried out. {error.what} {error.remedy}") from None
        except AirflowFailException:
            holds.close_request(engine.base, run_id)
            raise
        holds.close_request(engine.base, run_id)


def _base() -> AbstractContextManager[Base]:
    from clubsync.store.database import Base

    return closing(Base(pool_size=1))


def _page(path: str) -> str | None:
    """The address of one of the Clubs pages; None: nobody has said where Airflow is."""
    from airflow.sdk.configuration import conf

    root = conf.get("api", "base_url", fallback="").strip().rstrip("/")
    return f"{root}/plugin/clubs/clubsync/pages/{path}" if root else None


def run_of(row: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """The run that requests a decision, as arguments of `TriggerDagRunOperator`. One that ended is started again.

    :param row: club_id; of a hold also hold and version, of a first sync plan.
    """
    if row.get("hold") is None:
        dag_id, conf = FIRST_SYNCS, {"club": row["club_id"], "plan": row["plan"]}
    else:
        dag_id = HELD_CHANGES
        conf = {"club": row["club_id"], "hold": row["hold"], "version": row["version"]}
    return {
        "trigger_dag_id": dag_id,
        "trigger_run_id": run_id,
        "conf": conf,
        "reset_dag_run": True,
    }
