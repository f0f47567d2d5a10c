"""R24: the four questions that support asks of a person, each with its answer, what it rests on, and what to do.

Is this person in the ERP? Does the ERP record give access? Is the email theirs? Is the app account linked? Where all
four are answered with yes, the person has access in the app, unless somebody decided otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from clubsync import emails
from clubsync.explain.lookup import Found
from clubsync.explain.situation import Evaluated
from clubsync.explain.wording import Words
from clubsync.model import NO, WITHOUT_ID, YES, Situation
from clubsync.store.database import Driver, queries
from clubsync.validate import suites

if TYPE_CHECKING:
    from clubsync.store.queries import (
        CustomerRow,
        LastRequestOfAccountRow,
        OpenFindingsForRow,
        RecordRow,
        SuspicionsOfRow,
    )

About = Literal["record", "access", "email", "account"]


class Question(TypedDict):
    """Question and answer.

    :param answer: yes, no or unknown: what was read does not decide it.
    :param question, says: in the reader's language.
    :param rests_on: what the answer rests on; "" where that is plain.
    :param to_do: what would change the answer; "": nothing need be done.
    :param others: ERP ids of the records that the answer names.
    """

    about: About
    question: str
    answer: Literal["yes", "no", "unknown"]
    says: str
    rests_on: str
    to_do: str
    others: list[str]


class Membership(TypedDict):
    """A group of the ERP record.

    :param gives: whether it gives access; None: unknown.
    :param says: what it is worth, and its days, in the reader's language.
    """

    group: str
    gives: bool | None
    says: str


#: Which question a finding's advice belongs to; that of any other finding belongs to the record.
_OF_FINDING: Mapping[str, About] = {
    "EMAIL_MISSING": "email",
    "EMAIL_INVALID": "email",
    "EMAIL_DUPLICATE": "email",
    "EMAIL_SHARED_FAMILY": "email",
    "EMAIL_PLACEHOLDER": "email",
    "EMAIL_MISMATCH_APP": "account",
    "GROUP_INACTIVE": "access",
    "GROUP_FORMER": "access",
    "GROUP_UNKNOWN": "access",
    "STATUS_UNKNOWN": "access",
    "DATE_UNREADABLE": "access",
    "DETACHED": "access",
    "UNDONE": "access",
    "CLUB_UNKNOWN": "access",
}

#: Why nothing can be said of a record that was read: no answer is a no.
_UNDECIDED = frozenset(
    {
        Situation.SUSPECTED,
        Situation.UNSEEN,
        Situation.CONFLICTING,
        Situation.ID_REUSED,
        Situation.WITHOUT_ID,
    }
)


@dataclass(frozen=True)
class Known:
    """What is known of the person that the answers are about.

    :param erp_id: of their record, if any; record: None where it was never loaded.
    :param request: their last request to become a customer.
    """

    erp_id: str | None
    customer: CustomerRow | None
    record: RecordRow | None
    findings: Sequence[OpenFindingsForRow]
    suspicions: Sequence[SuspicionsOfRow]
    evaluated: Evaluated
    found: Found
    request: LastRequestOfAccountRow | None


def ask(driver: Driver, club: int, known: Known, words: Words) -> list[Question]:
    """The four questions, in order.

    :param driver: inside a transaction of this club.
    """
    return [
        _record(driver, club, known, words),
        _access(known, words),
        _email(known, words),
        _account(driver, club, known, words),
    ]


def memberships(known: Known, words: Words) -> list[Membership]:
    """Each group of the record by its name, those that give access first."""
    gives = {"gives": True, "unknown": None, "unreadable": None}
    return [
        Membership(
            group=words.group(one["name"] or one["id"] or "?"),
            gives=gives.get(one["state"], False),
            says=f"{words.worth(one['state'])} {_days(one, words)}".strip(),
        )
        for one in known.evaluated.groups
    ]


def _question(
    known: Known,
    words: Words,
    about: About,
    answer: Literal["yes", "no", "unknown"],
    says: str,
    *,
    rests_on: str = "",
    to_do: str = "",
    others: Sequence[str | None] = (),
) -> Question:
    """:param to_do: where no finding has an advice of its own."""
    findings = [f for f in known.findings if _OF_FINDING.get(f["code"], "record") == about]
    advice = [
        suites.advice(f["code"], f["severity"], f["detail"], words.language) for f in findings
    ]
    named = [*others, *(other for f in findings for other in f["detail"].get("others", ()))]
    return Question(
        about=about,
        question=words.answer(f"{about}?"),
        answer=answer,
        says=says,
        rests_on=rests_on,
        to_do=" ".join(advice) or to_do,
        others=[one for one in dict.fromkeys(named) if one and not one.startswith(WITHOUT_ID)],
    )


def _record(driver: Driver, club: int, known: Known, words: Words) -> Question:
    record, situation = known.record, known.evaluated.situation
    rests_on = _reading(driver, club, words)
    to_do, others = "", []
    answer: Literal["yes", "no", "unknown"]
    if record is None and known.erp_id is None:
        answer, says = "no", words.answer(_without_record(known))
    elif known.found.moved:
        others = [known.found.moved["erp_id"]]
        answer = "yes" if record and not record["gone_at"] else "no"
        moved = words.when(known.found.moved["at"])
        says = words.answer("record moved", other=others[0] or "–", when=moved)
    elif known.suspicions:
        answer = "unknown"
        says = " ".join(words.suspicion(one["sign"], one["read_at"]) for one in known.suspicions)
    elif situation in _UNDECIDED or record is None:
        answer = "unknown"
        named = words.in_situation(situation or Situation.UNSEEN)
        says = words.answer("record other", situation=named)
    elif known.evaluated.facts.get("successor"):
        others = [known.evaluated.facts["successor"]]
        answer, says = "no", words.answer("record merged", other=others[0])
    elif record["gone_at"]:
        answer, says = "no", words.answer("record gone", when=words.when(record["gone_at"]))
        to_do = words.answer("check the ERP")
    elif situation == Situation.NOT_A_PERSON:
        answer, says = "no", words.answer("record other", situation=words.in_situation(situation))
    else:
        since, when = words.when(record["first_seen"]), words.when(record["as_of"])
        answer, says = "yes", words.answer("record", since=since, when=when)
    return _question(
        *(known, words, "record", answer, says), rests_on=rests_on, to_do=to_do, others=others
    )


def _without_record(known: Known) -> str:
    if known.customer is None:
        return "record none"
    return "record by request" if known.customer["origin"] == "request" else "record by hand"


def _reading(driver: Driver, club: int, words: Words) -> str:
    """The reading that the answers rest on."""
    sql = queries()
    last, certified = sql.last_reading(driver, club=club), sql.last_certified(driver, club=club)
    if last is None:
        return ""
    when = words.when(last["as_of"])
    if last["certified"]:
        return words.answer("reading", when=when)
    if certified is None:
        return words.answer("first incomplete reading", when=when)
    complete = words.when(certified["as_of"])
    return words.answer("incomplete reading", when=when, certified=complete)


def _access(known: Known, words: Words) -> Question:
    facts, record, customer = known.evaluated.facts, known.record, known.customer
    answer: Literal["yes", "no", "unknown"]
    to_do = ""
    if not facts or record is None:
        by_hand = bool(customer and customer["in_customers_group"] and known.erp_id is None)
        key = "access by hand" if by_hand else "access none"
        return _question(known, words, "access", "yes" if by_hand else "no", words.answer(key))
    status, groups = facts["status_access"], facts["group_access"]
    if status == NO or groups == NO or record["gone_at"]:
        # the reason, and where there is something to do, a second sentence on that
        reason, _, to_do = _why_no(facts, words).partition(". ")
        answer, says = "no", words.answer("access no", reason=reason)
        to_do = f"{to_do}." if to_do else ""
    elif status == YES and groups == YES:
        answer, says = "yes", words.answer("access yes")
        if customer and customer["detached_at"]:
            when = words.when(customer["detached_at"])
            says, to_do = words.answer("access detached", when=when), words.answer("add again")
    else:
        reason = words.answer("no reason")
        answer, says = "unknown", words.answer("access unknown", reason=reason)
    return _question(
        known, words, "access", answer, says, rests_on=_status(record, words), to_do=to_do
    )


def _why_no(facts: Mapping[str, Any], words: Words) -> str:
    """Why the record gives no access, apart from whose dependant it is and where it went."""
    if facts["status_access"] == NO and facts["status_reason"]:
        return words.out(facts["status_reason"])
    reason = {
        "former": "former_group",
        "inactive": "group_inactive",
        "expired": "expired",
        "other": "other_group",
        "none": "no_group",
    }.get(facts["group_state"])
    if facts["group_access"] == NO and reason:
        return words.out(reason)
    return words.out("gone")


def _status(record: RecordRow, words: Words) -> str:
    """The record's own status and days: as the ERP writes them, and as they are read."""
    raw, status = record["status_raw"], record["status"]
    if raw is None or raw.casefold() == status or words.to_viewer:
        said = words.answer("status", status=status)
    else:
        said = words.answer("status read as", word=raw, status=status)
    return " ".join(filter(None, (said, _days(record, words))))


def _days(span: Mapping[str, Any], words: Words) -> str:
    """The first and the last day of a record or a group."""
    first, last = span["valid_from"], span["valid_until"]
    if first and last:
        return words.answer("from until", day=words.day(first), last=words.day(last))
    if first:
        return words.answer("from", day=words.day(first))
    return words.answer("until", day=words.day(last)) if last else ""


def _email(known: Known, words: Words) -> Question:
    facts, customer = known.evaluated.facts, known.customer
    held = customer["email"] if customer else None
    if not facts:
        if held:
            says = words.answer("email yes", email=words.masked(held))
            return _question(known, words, "email", "yes", says)
        return _question(known, words, "email", "no", words.answer("email missing"))
    if facts["owner_id"]:
        owner = facts["owner_id"]
        says = words.answer("email family", other=owner)
        return _question(known, words, "email", "no", says, others=[owner])
    state, email = facts["email_state"], facts["email_norm"]
    if state != emails.VALID:
        says = words.answer(f"email {state}")
        return _question(known, words, "email", "unknown", says)
    if customer and customer["reason"] == "email_given_up":
        return _question(known, words, "email", "no", words.answer("email given up"))
    winner = facts["winner"]
    if winner and winner != known.erp_id:
        says = words.answer("email other", other=winner)
        return _question(known, words, "email", "no", says, others=[winner])
    key = "email kept" if facts["cluster"] > 1 else "email yes"
    return _question(known, words, "email", "yes", words.answer(key, email=words.masked(email)))


def _account(driver: Driver, club: int, known: Known, words: Words) -> Question:
    customer, request = known.customer, known.request
    answer: Literal["yes", "no", "unknown"] = "no"
    to_do = ""
    if customer and customer["link"] == "linked":
        answer, says = "yes", words.answer("account linked")
    elif customer and customer["link"] == "email_mismatch":
        account = queries().account_of_customer(driver, club=club, customer=customer["customer"])
        email = words.masked(account["email"] or "–") if account else "–"
        says, to_do = words.answer("account mismatch", email=email), words.answer("one email")
    elif customer and customer["link"] == "email_unconfirmed":
        says, to_do = words.answer("account unconfirmed"), words.answer("confirm")
    elif request and request["state"] == "pending":
        says = words.answer("account requested", when=words.when(request["created_at"]))
        to_do = words.answer("decide")
    elif known.found.account and customer is None:
        says = words.answer("account waits")
    else:
        says, to_do = words.answer("account none"), words.answer("register")
    return _question(known, words, "account", answer, says, to_do=to_do)
