"""A hold (R15) as a question in Airflow: approve or reject the exact list that was seen.

Each version of a hold's list is a run of `held_changes` of its own. While it waits it holds no worker;
every minute it looks whether it is still to be asked: a hold that emptied or was decided elsewhere (the
shell, the pages) ends its run by itself, and so does one whose list has changed since, which is asked
anew by the run of that list.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

if TYPE_CHECKING:
    from clubsync.db import Base
    from clubsync.holds import Question
    from clubsync.pipeline import Pipeline

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(minutes=1)


COMMENT = Param(
    "",
    type=["string", "null"],
    title="Why",
    description="Kept with the decision, for whoever asks later.",
)


class HoldApproval(ApprovalOperator):
    """Asks for a decision on one list of one hold, and carries it out.

    Takes `hold` and `list_hash` from the run's conf, made by `upkeep`. The answer is the task's result:
    what became of the hold.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            subject="Deactivations wait for a decision", response_timeout=LOOK_AGAIN, **kwargs
        )

    def execute(self, context: Any) -> Any:
        question = self._question(context)
        if ended := self._ended(question):
            return ended
        self.subject, self.body = question.subject, question.markdown()
        log.info("%s\n\n%s", self.subject, self.body)
        with _base() as base:
            question.asked(base)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        question = self._question(context)
        if event.get("error_type") == "timeout":
            if ended := self._ended(question):
                return ended
            raise TaskAwaitingInput(method_name="execute_complete", timeout=self.response_timeout)
        answer = super().execute_complete(context, event)
        user = answer["responded_by_user"] or {}
        by = user.get("name") or user.get("id") or "somebody in Airflow"
        comment = (answer["params_input"] or {}).get("comment") or None
        if answer["chosen_options"] == [self.APPROVE]:
            return _approve(question, by, comment)
        return _reject(question, by, comment)

    def _question(self, context: Any) -> Question:
        from clubsync import holds

        params = context["params"]
        with _base() as base:
            return holds.question(base, params["hold"], params["list_hash"])

    def _ended(self, question: Question) -> dict[str, Any] | None:
        """Why nothing is to be asked any more, or None."""
        told = question.ended
        if told is None:
            return None
        log.info("%s", told)
        return {"hold": question.hold, "ended": told}


def _approve(question: Question, by: str, comment: str | None) -> dict[str, Any]:
    with _deciding() as engine:
        step = engine.approve(question.hold, by, question.list_hash, comment)
    if step["error"]:
        raise AirflowFailException(
            f"{step['error']} {step['remedy']} The hold is open still: clear this task to decide again."
        )
    done = step["counts"]["deactivation"]
    log.info("Approved by %s: %d customers lost their access.", by, done)
    return {"hold": question.hold, "state": "approved", "by": by, "deactivations": done}


def _reject(question: Question, by: str, comment: str | None) -> dict[str, Any]:
    with _deciding() as engine:
        made = engine.reject(question.hold, by, question.list_hash, comment)
    log.info("Rejected by %s: %d customers keep their access.", by, made["kept"])
    return dict(made)


@contextmanager
def _deciding() -> Iterator[Pipeline]:
    """The engine; one decision wins, and one that came second turns its run red and says who was first."""
    from clubsync.errors import ActRefused
    from plugins.sync_tasks import pipeline

    with pipeline() as engine:
        try:
            yield engine
        except ActRefused as refused:
            raise AirflowFailException(
                f"Not carried out. {refused.what} {refused.remedy}"
            ) from None


def _base() -> AbstractContextManager[Base]:
    from clubsync.db import Base

    return closing(Base(pool_size=1))


def conf_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The conf of the run that asks about a list: a row of `unasked_holds`."""
    return {"club": row["club_id"], "hold": row["hold"], "list_hash": row["list_hash"]}


def run_id_of(row: Mapping[str, Any]) -> str:
    """One run for each list of a hold, however often it is started."""
    return f"{row['club_id']}-hold-{row['hold']}-list-{row['version']}"
