"""R24: why that person is, or is not, in the Customers group: in plain words, with what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict
from zoneinfo import ZoneInfo

from clubsync.explain.sentences import OUT, WORDS
from clubsync.i18n import Messages, date_and_time, translations
from clubsync.store.database import Driver, queries
from clubsync.store.people import resolve_person
from clubsync.validate import suites

if TYPE_CHECKING:
    from clubsync.store.queries import (
        CustomerRow,
        HeldCustomerRow,
        OpenFindingsForRow,
        PeopleByKeyRow,
        PeopleOfClubByNameRow,
        RecordRow,
    )


class Answer(TypedDict):
    """:param verdict: in, out, or unknown (never seen).
    :param reasons: codes: findings, or the reason of being out.
    :param candidates: only where a name was asked for that several people have.
    :param customer: who is meant, where somebody is: the base customer; erp_id: the ERP's record.
    """

    verdict: Literal["in", "out", "unknown"]
    reasons: list[str]
    sentence: str
    timeline: list[dict[str, Any]]
    candidates: NotRequired[Sequence[PeopleOfClubByNameRow | PeopleByKeyRow]]
    customer: NotRequired[int | None]
    erp_id: NotRequired[str | None]


def why(
    driver: Driver, club: int, club_name: str, who: str, zone: ZoneInfo, language: str = "en"
) -> Answer:
    """Answer for an email, an ERP id, or a part of a name.

    :param driver: inside a transaction of this club.
    :param who: an email (any spelling), an ERP id, or a part of a name (its candidates, where there
        are several).
    :param language: of the sentence and the timeline; en or fr.
    """
    sql, words = queries(), _Words(club_name, zone, language)
    email, found = resolve_person(driver, club, who)
    if not found:
        return _by_name(driver, club, who, words)
    customers = [
        customer
        for f in found
        if f["customer"] and (customer := sql.customer(driver, club=club, customer=f["customer"]))
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
    return Answer(
        verdict="in" if inside else "out",
        reasons=reasons,
        sentence=_sentence(words, erp_id, customer, record, findings, hold),
        timeline=_timeline(driver, club, words, customer, record, erp_id),
        customer=customer["customer"] if customer else None,
        erp_id=erp_id,
    )


@dataclass(frozen=True)
class _Words:
    """The sentences in a language, for a club."""

    club: str
    zone: ZoneInfo
    language: str

    def say(self, key: str, **values: Any) -> str:
        text = translations(self.language).gettext(WORDS[key])
        return text.format(club=self.club, **values)

    def out(self, reason: str) -> str:
        """Why somebody is out, in words; a reason that has none is a status of the ERP."""
        if reason in OUT:
            return translations(self.language).gettext(OUT[reason])
        return self.say("status", status=reason)

    def message(self, text: str) -> str:
        return Messages(self.language, self.zone).translate(text)

    def kind(self, kind: str) -> str:
        """A kind of change; what has no word is told as it is."""
        return self.say(f"kind_{kind}") if f"kind_{kind}" in WORDS else kind.replace("_", " ")

    def when(self, moment: datetime) -> str:
        return date_and_time(moment, self.zone, self.language)


def _by_name(driver: Driver, club: int, who: str, words: _Words) -> Answer:
    """Who is meant by a part of a name: the one, or the candidates."""
    people = (
        []
        if "@" in who
        else list(queries().people_of_club_by_name(driver, club=club, fragment=who.strip()))
    )
    if not people:
        return _never(driver, club, who, words)
    if len(people) == 1 and (key := people[0]["erp_id"] or people[0]["email"]):
        return why(driver, club, words.club, key, words.zone, words.language)
    text = words.say("several", n=len(people))
    return Answer(verdict="unknown", reasons=[], sentence=text, timeline=[], candidates=people)


def _never(driver: Driver, club: int, who: str, words: _Words) -> Answer:
    sql = queries()
    certified, last = sql.last_certified(driver, club=club), sql.last_reading(driver, club=club)
    what = words.say("this_email" if "@" in who else "this_id")
    if last is None:
        text = words.say("never_read")
    elif certified is None:
        text = words.say("not_complete", what=what, when=words.when(last["as_of"]))
    else:
        text = words.say(
            "not_there",
            what=what,
            when=words.when(certified["as_of"]),
            customers=certified["customers"],
        )
    return Answer(verdict="unknown", reasons=[], sentence=text, timeline=[])


def _sentence(
    words: _Words,
    erp_id: str | None,
    customer: CustomerRow | None,
    record: RecordRow | None,
    findings: list[OpenFindingsForRow],
    hold: HeldCustomerRow | None,
) -> str:
    name = words.say("named", erp_id=erp_id) if erp_id else words.say("nameless")
    seen = ""
    if record and record["gone_at"]:
        seen = " " + words.say("gone_since", when=words.when(record["gone_at"]))
    elif record:
        seen = " " + words.say(
            "last_change", when=words.when(record["as_of"]), status=record["status"]
        )
    advice = " ".join(
        suites.advice(f["code"], f["severity"], f["detail"], words.language) for f in findings
    )
    if customer and customer["in_customers_group"]:
        text = words.say("in", name=name)
        if hold:
            since = words.when(hold["opened_at"])
            text += " " + words.say(
                "held", hold=hold["hold"], cause=words.message(hold["cause"]), when=since
            )
        return f"{text} {words.say(customer['link'])}{seen} {advice}".strip()
    if customer:
        text = words.out(customer["reason"] or "")  # who is out has one
        since = (
            words.say("since", when=words.when(customer["reason_at"]))
            if customer["reason_at"]
            else ""
        )
        return f"{words.say('out', name=name)}{since}{words.say('because')} {text}.{seen} {advice}".strip()
    text = words.say("never", name=name)
    if advice:
        return f"{text}. {advice}{seen}"
    status = record["status"] if record else "unknown"
    return f"{text}{words.say('because')} {words.say('plain_status', status=status)}.{seen}"


def _timeline(
    driver: Driver,
    club: int,
    words: _Words,
    customer: CustomerRow | None,
    record: RecordRow | None,
    erp_id: str | None,
) -> list[dict[str, Any]]:
    """What happened, the oldest first: first sight, every change, every finding opened and closed."""
    sql = queries()
    events: list[dict[str, Any]] = []
    if record:
        events.append({"at": record["first_seen"], "what": words.say("first_seen"), "run": None})
        if record["gone_at"]:
            events.append({"at": record["gone_at"], "what": words.say("not_any_more"), "run": None})
    if customer:
        for change in sql.changes_of(driver, club=club, customer=customer["customer"]):
            what = words.kind(change["kind"])
            events.append(
                {
                    "at": change["at"],
                    "what": f"{what} ({change['reason']})" if change["reason"] else what,
                    "run": change["run"],
                }
            )
    if erp_id:
        for finding in sql.all_findings_for(driver, club=club, erp_id=erp_id):
            events.append(
                {
                    "at": finding["since"],
                    "what": words.say("opened", code=finding["code"]),
                    "run": finding["run"],
                }
            )
            if finding["closed_at"]:
                closed = {
                    "at": finding["closed_at"],
                    "what": words.say("closed", code=finding["code"]),
                    "run": finding["closed_run"],
                }
                events.append(closed)
    return sorted(events, key=lambda event: event["at"])
