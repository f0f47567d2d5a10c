"""R24: why that person is, or is not, in the Customers group: in plain words, with what to do next."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict
from zoneinfo import ZoneInfo

from clubsync import emails, suites, vector
from clubsync.db import Driver, queries

#: reason of a base customer -> why they are out, and what to do.
_OUT = {
    "gone": "the ERP does not have this customer any more. If that is wrong, look in the ERP whether "
    "the record was deleted or archived",
    "group_inactive": "all of their groups in the ERP are inactive. Make the group active, or move the "
    "customer to an active one",
    "former_group": "the ERP has them in a group of former customers",
    "expired": "their membership in the ERP has expired. Renew it there if they are still a customer",
    "not_begun": "their membership in the ERP begins later",
    "no_group": "they are in no group in the ERP, and this club asks for one",
    "dependant": "the ERP has them as a family member without an email of their own. Enter their own email in the ERP",
    "email_duplicate": "their email stands on another customer in the ERP too. Keep it on one of them",
    "email_given_up": "their email now belongs to another customer of the ERP, and the ERP has no other for them",
    "placeholder": "the ERP's record is not a person",
    "replaced": "the ERP merged this record into another one",
    "merged": "they were merged into another customer",
    "detached": "the club detached them by hand. They come back when the ERP activates them anew, or "
    "when the club adds them again",
    "inactive": "the ERP says that they are not active",
}


class Answer(TypedDict):
    """:param verdict: in, out, or unknown (never seen).
    :param reasons: codes: findings, or the reason of being out.
    :param candidates: only where a name was asked for that several people have.
    """

    verdict: Literal["in", "out", "unknown"]
    reasons: list[str]
    sentence: str
    timeline: list[dict[str, Any]]
    candidates: NotRequired[list[dict[str, Any]]]


def meant(driver: Driver, club: int, who: str) -> tuple[str | None, list[dict[str, Any]]]:
    """Whom an email (any spelling) or an ERP id means.

    :returns: the normalised email where it is one, and their `erp_id` and `customer`, either of which may
        be null.
    """
    email = emails.normalise(who) if "@" in who else None
    candidates = vector.by_email(vector.read(driver, club), [email]) if email else []
    found = queries().who(driver, club=club, erp_id=who, email=email, candidates=candidates)
    return email, list(found)


def why(driver: Driver, club: int, club_name: str, who: str, zone: ZoneInfo) -> Answer:
    """Answer for an email, an ERP id, or a part of a name.

    :param driver: inside a transaction of this club.
    :param who: an email (any spelling), an ERP id, or a part of a name (its candidates, where there
        are several).
    """
    sql = queries()
    email, found = meant(driver, club, who)
    if not found:
        return _by_name(driver, club, club_name, who, zone)
    customers = [
        sql.customer(driver, club=club, customer=f["customer"]) for f in found if f["customer"]
    ]
    # who holds the email, or is in, answers first; a record that merely shares the email comes after
    customers.sort(key=lambda c: (c["email"] != email, not c["in_customers_group"], c["customer"]))
    customer = customers[0] if customers else None
    erp_id = customer["erp_id"] if customer else found[0]["erp_id"]
    record = sql.record(driver, club=club, erp_id=erp_id) if erp_id else None
    findings = list(sql.open_findings_for(driver, club=club, erp_id=erp_id)) if erp_id else []
    hold = sql.held_customer(driver, club=club, customer=customer["customer"]) if customer else None
    inside = bool(customer and customer["in_customers_group"])
    reasons = [f["code"] for f in findings]
    if customer and customer["reason"] and not reasons:
        reasons = [customer["reason"]]
    if not customer and not reasons and record:
        reasons = [record["status"]]
    sentence = _sentence(club_name, erp_id, customer, record, findings, hold, zone)
    return Answer(
        verdict="in" if inside else "out",
        reasons=reasons,
        sentence=sentence,
        timeline=_timeline(driver, club, customer, record, erp_id),
    )


def _by_name(driver: Driver, club: int, club_name: str, who: str, zone: ZoneInfo) -> Answer:
    """Who is meant by a part of a name: the one, or the candidates."""
    people = [] if "@" in who else list(queries().by_name(driver, club=club, fragment=who.strip()))
    if not people:
        return _never(driver, club, club_name, who, zone)
    if len(people) == 1 and (key := people[0]["erp_id"] or people[0]["email"]):
        return why(driver, club, club_name, key, zone)
    text = f"{len(people)} people of {club_name} have that in their name. Ask by email or ERP id."
    return Answer(verdict="unknown", reasons=[], sentence=text, timeline=[], candidates=people)


def _never(driver: Driver, club: int, club_name: str, who: str, zone: ZoneInfo) -> Answer:
    sql = queries()
    certified, last = sql.last_certified(driver, club=club), sql.last_reading(driver, club=club)
    what = "This email" if "@" in who else "This ERP id"
    if last is None:
        text = f"{club_name} has never been read. Sync the club first."
    elif certified is None:
        text = (
            f"{what} was not in the ERP's answer of {_when(last['as_of'], zone)}, which was not complete. "
            "Wait for a complete reading, or look in the ERP."
        )
    else:
        text = (
            f"{what} was not in the ERP's answer of {_when(certified['as_of'], zone)}, which was complete "
            f"({certified['customers']} customers). Check the spelling, and whether the customer was added "
            "to the ERP since."
        )
    return Answer(verdict="unknown", reasons=[], sentence=text, timeline=[])


def _sentence(
    club_name: str,
    erp_id: str | None,
    customer: dict[str, Any] | None,
    record: dict[str, Any] | None,
    findings: list[dict[str, Any]],
    hold: dict[str, Any] | None,
    zone: ZoneInfo,
) -> str:
    name = f"ERP id {erp_id}" if erp_id else "This customer, who has no ERP id,"
    seen = ""
    if record:
        if record["gone_at"]:
            seen = f" The ERP has not had the record since {_when(record['gone_at'], zone)}."
        else:
            seen = (
                f" The ERP's record last changed, as we saw it, on {_when(record['as_of'], zone)}: "
                f"status {record['status']}."
            )
    advice = " ".join(suites.advice(f["code"], f["severity"], f["detail"]) for f in findings)
    if customer and customer["in_customers_group"]:
        text = f"{name} is in the Customers group of {club_name}."
        if hold:
            text += (
                f" A person has to decide whether they stay: hold {hold['hold']} ({hold['cause']}), open since "
                f"{_when(hold['opened_at'], zone)}."
            )
        text += {
            "linked": " The app account is linked.",
            "not_registered": " Nobody has registered in the app with this email yet.",
            "email_unconfirmed": " Somebody registered in the app with this email and has not confirmed it yet.",
            "email_mismatch": " Their app account has another email than the ERP.",
        }[customer["link"]]
        return f"{text}{seen} {advice}".strip()
    if customer:
        reason = customer["reason"]
        text = _OUT.get(reason, f"the ERP gives them the status {reason}")
        since = f" since {_when(customer['reason_at'], zone)}" if customer["reason_at"] else ""
        return f"{name} is not in the Customers group of {club_name}{since}: {text}.{seen} {advice}".strip()
    text = f"{name} has never been in the Customers group of {club_name}"
    if advice:
        return f"{text}. {advice}{seen}"
    return f"{text}: the ERP gives the status {record['status'] if record else 'unknown'}.{seen}"


def _timeline(
    driver: Driver,
    club: int,
    customer: dict[str, Any] | None,
    record: dict[str, Any] | None,
    erp_id: str | None,
) -> list[dict[str, Any]]:
    """What happened, the oldest first: first sight, every change, every finding opened and closed."""
    sql, events = queries(), []
    if record:
        events.append({"at": record["first_seen"], "what": "first seen in the ERP", "run": None})
        if record["gone_at"]:
            events.append({"at": record["gone_at"], "what": "not in the ERP any more", "run": None})
    if customer:
        for row in sql.changes_of(driver, club=club, customer=customer["customer"]):
            what = row["kind"].replace("_", " ")
            events.append(
                {
                    "at": row["at"],
                    "what": f"{what} ({row['reason']})" if row["reason"] else what,
                    "run": row["run"],
                }
            )
    if erp_id:
        for row in sql.all_findings_for(driver, club=club, erp_id=erp_id):
            events.append(
                {"at": row["since"], "what": f"finding {row['code']} opened", "run": row["run"]}
            )
            if row["closed_at"]:
                closed = {
                    "at": row["closed_at"],
                    "what": f"finding {row['code']} closed",
                    "run": row["closed_run"],
                }
                events.append(closed)
    return sorted(events, key=lambda event: event["at"])


def _when(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%d %B %Y, %H:%M")
