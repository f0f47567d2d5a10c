"""R24: explain in plain words why a person is or is not in the Customers group, and what to do next."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict
from zoneinfo import ZoneInfo

from clubsync import emails
from clubsync.config import ClubConfig
from clubsync.explain import quoting
from clubsync.explain.sentences import (
    EVENTS,
    OUT,
    REASONS,
    SELF_EVIDENT,
    SITUATIONS,
    SUSPICIONS,
    WORDS,
)
from clubsync.explain.situation import situation_of, suspicions_of
from clubsync.extract.erased import key_hash
from clubsync.i18n import Messages, date_and_time, translations
from clubsync.model import MOVED, WITHOUT_ID, Situation
from clubsync.store.database import Driver, queries
from clubsync.store.people import resolve_person
from clubsync.validate import suites
from connectors.sdk import quoted as quotes
from connectors.sdk.quoted import quoted
from connectors.sdk.words import tidy, word

if TYPE_CHECKING:
    from clubsync.store.queries import (
        CustomerRow,
        FindPersonRow,
        HeldCustomerRow,
        OpenFindingsForRow,
        PeopleByKeyRow,
        PeopleOfClubByNameRow,
        RecordRow,
    )


class Answer(TypedDict):
    """Why a person is or is not a customer.

    :param verdict: in, out, or unknown (no match).
    :param reasons: codes of findings, or the reason why the customer has no access.
    :param situation: of the ERP record (`clubsync.diff.plan`); None if there is none, or none was loaded.
    :param candidates: the people whose name matches, if there are several.
    :param customer, erp_id: the person's base customer and ERP record, if there is one.
    """

    verdict: Literal["in", "out", "unknown"]
    reasons: list[str]
    sentence: str
    timeline: list[dict[str, Any]]
    situation: NotRequired[str | None]
    candidates: NotRequired[Sequence[PeopleOfClubByNameRow | PeopleByKeyRow]]
    customer: NotRequired[int | None]
    erp_id: NotRequired[str | None]


def _as_it_is(text: str) -> str:
    return text


def why(
    driver: Driver,
    club_no: int,
    config: ClubConfig,
    who: str,
    language: str = "en",
    *,
    by_id: bool = False,
    masked: Callable[[str], str] = _as_it_is,
    tell_erased: bool = True,
    to_viewer: bool = False,
    by_name: bool = True,
    chain: str | None = None,
) -> Answer:
    """Explain for an email, an ERP id, or a part of a name.

    :param driver: inside a transaction of this club.
    :param config: the club's.
    :param who: an email (any spelling), an ERP id, or a part of a name.
    :param language: en or fr.
    :param by_id: it is an ERP id, also where it looks like an email.
    :param masked: makes of an email what the reader may see of it; candidates are the caller's to mask.
    :param tell_erased: say that somebody was erased at their request (R20); False: as of somebody who never was there.
    :param to_viewer: the reader sees personal data masked: quote no word of the ERP that may be a person's (R19).
    :param by_name: whether the reader may search by a part of a name, which finds a masked name letter by letter (R19).
    :param chain: key of the chain that the club is in, if it is in one (R29).
    """
    answer = _why(
        *(driver, club_no, config, who, language),
        by_id=by_id,
        masked=masked,
        tell_erased=tell_erased,
        to_viewer=to_viewer,
        by_name=by_name,
    )
    if chain is None:
        return answer
    words = _Words(config.name, config.zone, language, masked, to_viewer)
    return _with_club_unknown(driver, chain, who, answer, words)


def _with_club_unknown(
    driver: Driver, chain: str, who: str, answer: Answer, words: _Words
) -> Answer:
    """R29: the answer, with what the record has in place of a club of the chain."""
    erp_id = answer.get("erp_id") or ("" if "@" in who else who.strip())
    row = next(iter(queries().club_unknown(driver, chain=chain, erp_id=erp_id)), None)
    if not erp_id or row is None:
        return answer
    named, since = row["word"] or "", row["since"]
    assert since is not None  # a column that is never null, of a function
    word = quotes.masked(named) if words.to_viewer else named
    key = "club_unknown" if named else "club_missing"
    sentence = words.say(key, word=word, when=words.when(since))
    told = answer["sentence"] if answer["verdict"] != "unknown" else ""
    verdict = "out" if answer["verdict"] == "unknown" else answer["verdict"]
    reasons = [*answer["reasons"], "CLUB_UNKNOWN"]
    return {
        **answer,
        "verdict": verdict,
        "reasons": reasons,
        "sentence": f"{told} {sentence}".strip(),
    }


def _why(
    driver: Driver,
    club_no: int,
    config: ClubConfig,
    who: str,
    language: str = "en",
    *,
    by_id: bool = False,
    masked: Callable[[str], str] = _as_it_is,
    tell_erased: bool = True,
    to_viewer: bool = False,
    by_name: bool = True,
) -> Answer:
    sql, words = queries(), _Words(config.name, config.zone, language, masked, to_viewer)
    email, found = resolve_person(driver, club_no, who, by_id=by_id)
    if not found and tell_erased and (erased := _erased(driver, club_no, who, words)):
        return erased
    if not found and by_id:
        return _never(driver, club_no, who, words, by_id=True)
    if not found and not by_name:
        answer = _never(driver, club_no, who, words, by_id="@" not in who)
        return {**answer, "sentence": f"{answer['sentence']} {words.say('exact_only')}"}
    if not found:
        return _by_name(driver, club_no, config, who, words)
    customers = [
        customer
        for f in found
        if f["customer"]
        and (customer := sql.customer(driver, club=club_no, customer=f["customer"]))
    ]
    # the holder of the email comes first, then customers with access; records that share the email come last
    customers.sort(key=lambda c: (c["email"] != email, not c["in_customers_group"], c["customer"]))
    customer = customers[0] if customers else None
    erp_id = customer["erp_id"] if customer else found[0]["erp_id"]
    record = sql.record(driver, club=club_no, erp_id=erp_id) if erp_id else None
    findings = list(sql.open_findings_for(driver, club=club_no, erp_id=erp_id)) if erp_id else []
    for other in _rows_without_id(driver, club_no, found, record):
        if other != erp_id:
            findings += sql.open_findings_for(driver, club=club_no, erp_id=other)
    if to_viewer:
        findings = _for_viewers(driver, club_no, findings, record)
    hold = (
        sql.held_customer(driver, club=club_no, customer=customer["customer"]) if customer else None
    )
    situation = situation_of(driver, club_no, config, erp_id, findings) if erp_id else None
    suspected = suspicions_of(driver, club_no, erp_id) if erp_id else []
    inside = bool(customer and customer["in_customers_group"])
    reasons = [f["code"] for f in findings]
    if customer and customer["reason"] and not reasons:
        reasons = [customer["reason"]]
    if not customer and not reasons and record:
        reasons = [record["status"]]
    if suspected:
        reasons = [*reasons, "suspected"]
    # who awaits another club of the chain alone awaits no reading (R29)
    moved = bool(suspected) and all(one["sign"] == MOVED for one in suspected)
    told = None if moved else situation
    sentence = _sentence(words, erp_id, customer, record, findings, hold, told)
    awaited = [words.suspicion(one["sign"], one["read_at"]) for one in suspected]
    return Answer(
        verdict="in" if inside else "out",
        reasons=reasons,
        sentence=" ".join((sentence, *awaited)),
        timeline=_timeline(driver, club_no, words, customer, record, erp_id),
        situation=situation,
        customer=customer["customer"] if customer else None,
        erp_id=erp_id,
    )


def _for_viewers(
    driver: Driver, club_no: int, findings: list[OpenFindingsForRow], record: RecordRow | None
) -> list[OpenFindingsForRow]:
    """R19: the findings without words that may be a person's."""
    person: Mapping[str, Any] = record or {}
    return [
        {**f, "detail": quoting.for_viewers(driver, club_no, f["code"], f["detail"], person)}
        for f in findings
    ]


def _rows_without_id(
    driver: Driver,
    club_no: int,
    found: Sequence[FindPersonRow],
    record: RecordRow | None,
) -> list[str]:
    """R14: rows without an id that may be the person's, by email, name or phone, as their keys in the mirror."""
    theirs = [f["erp_id"] for f in found if f["erp_id"] and f["erp_id"].startswith(WITHOUT_ID)]
    if record and not record["gone_at"]:
        person = _keys_of(record)
        for row in queries().rows_without_id(driver, club=club_no):
            pairs = zip(_keys_of(row), person, strict=True)
            if any(said and said == known for said, known in pairs):
                theirs.append(row["erp_id"])
    return list(dict.fromkeys(theirs))


def _keys_of(person: Mapping[str, Any]) -> tuple[str | None, str, str | None]:
    """Email, whole name and phone, as they are compared."""
    name = word(f"{person['first_name'] or ''} {person['last_name'] or ''}")
    return person["email_norm"], name, person["phone"]


@dataclass(frozen=True)
class _Words:
    """The sentences for a club, in a language."""

    club: str
    zone: ZoneInfo
    language: str
    masked: Callable[[str], str]
    to_viewer: bool

    def say(self, key: str, **values: Any) -> str:
        return self._text(WORDS[key]).format(club=self.club, **values)

    def out(self, reason: str) -> str:
        """Why somebody has no access; a reason without a sentence is a status of the ERP."""
        if reason in OUT:
            return self._text(OUT[reason])
        return self.say("status", status=reason)

    def suspicion(self, sign: str, read_at: datetime) -> str:
        """What awaits a second reading (R14).

        :param sign: of `clubsync.diff.suspicion`.
        """
        kind, _, what = sign.partition(":")
        if kind == "email":
            what = self.masked(what.partition("|")[0])
        elif self.to_viewer:
            what = quoted(what)
        return self._text(SUSPICIONS[kind]).format(what=what, when=self.when(read_at))

    def situation(self, situation: Situation) -> str:
        return self.say("situation", situation=self._text(SITUATIONS[situation]))

    def _text(self, english: str) -> str:
        return translations(self.language).gettext(english)

    def message(self, text: str) -> str:
        return Messages(self.language, self.zone).translate(text)

    def event(self, kind: str, reason: str | None, after: Mapping[str, Any]) -> str:
        """A change, as the history names it.

        :param after: the values that the change set.
        """
        if kind == "profile_change" and reason == "app":
            return self.say("account_linked" if after.get("linked_user") else "account_unlinked")
        event = self._text(EVENTS[kind]) if kind in EVENTS else kind.replace("_", " ")
        if reason is None or reason in SELF_EVIDENT or (kind, reason) == ("merge", "merged"):
            return event
        if reason in REASONS:
            return self.say("event", event=event, reason=self._text(REASONS[reason]))
        return self.say("event", event=event, reason=self.say("erp_status", status=reason))

    def when(self, moment: datetime) -> str:
        return date_and_time(moment, self.zone, self.language)


def _by_name(driver: Driver, club_no: int, config: ClubConfig, who: str, words: _Words) -> Answer:
    """The only person whose name matches, or the candidates."""
    people = (
        []
        if "@" in who
        else list(queries().people_of_club_by_name(driver, club=club_no, fragment=tidy(who)))
    )
    if not people:
        return _never(driver, club_no, who, words)
    if len(people) == 1 and (key := people[0]["erp_id"] or people[0]["email"]):
        by_id = people[0]["erp_id"] is not None
        return why(
            *(driver, club_no, config, key, words.language),
            by_id=by_id,
            masked=words.masked,
            to_viewer=words.to_viewer,
        )
    text = words.say("several", n=len(people))
    return Answer(verdict="unknown", reasons=[], sentence=text, timeline=[], candidates=people)


def _erased(driver: Driver, club_no: int, who: str, words: _Words) -> Answer | None:
    """R20, R24: the answer about somebody whose erasure was ordered, whom a keyed hash alone still names."""
    sql = queries()
    hashes = hashes_of(sql.club_state(driver, club=club_no)["hash_key"], who)
    order = sql.erasure_of_person(driver, club=club_no, key_hashes=hashes)
    if order is None:
        return None
    at = order["ordered_at"]
    event = {"at": at, "what": words.event("erasure", None, {}), "run": order["run"] or None}
    sentence = words.say("erased", when=words.when(at))
    return Answer(verdict="out", reasons=["erased"], sentence=sentence, timeline=[event])


def hashes_of(key: uuid.UUID, who: str) -> list[str]:
    """The keyed hashes by which an erased person is found: of an ERP id, and of an email in any spelling.

    :param key: the club's own.
    """
    email = emails.normalise(who) if "@" in who else None
    return [key_hash(key, name) for name in (who.strip(), email) if name]


def _never(driver: Driver, club_no: int, who: str, words: _Words, *, by_id: bool = False) -> Answer:
    sql = queries()
    certified = sql.last_certified(driver, club=club_no)
    last = sql.last_reading(driver, club=club_no)
    what = words.say("this_email" if "@" in who and not by_id else "this_id")
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
    situation: Situation | None,
) -> str:
    named = erp_id and not erp_id.startswith(WITHOUT_ID)
    name = words.say("named", erp_id=erp_id) if named else words.say("nameless")
    seen = ""
    if record and record["gone_at"]:
        seen = " " + words.say("gone_since", when=words.when(record["gone_at"]))
    elif record:
        seen = " " + words.say(
            "last_change", when=words.when(record["as_of"]), status=record["status"]
        )
    if situation:
        seen += " " + words.situation(situation)
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
        reason = words.out(customer["reason"] or "")  # a customer without access has one
        if customer["reason_at"]:
            since = words.when(customer["reason_at"])
            text = words.say("out_since", name=name, when=since, reason=reason)
        else:
            text = words.say("out", name=name, reason=reason)
        return f"{text}{seen} {advice}".strip()
    if advice:
        return f"{words.say('never', name=name)} {advice}{seen}"
    status = record["status"] if record else "unknown"
    return f"{words.say('never_status', name=name, status=status)}{seen}"


def _timeline(
    driver: Driver,
    club_no: int,
    words: _Words,
    customer: CustomerRow | None,
    record: RecordRow | None,
    erp_id: str | None,
) -> list[dict[str, Any]]:
    """The history, oldest first: when the ERP record was seen, every change, every finding."""
    sql = queries()
    events: list[dict[str, Any]] = []
    if record:
        events.append({"at": record["first_seen"], "what": words.say("first_seen"), "run": None})
        if record["gone_at"]:
            events.append({"at": record["gone_at"], "what": words.say("not_any_more"), "run": None})
    if customer:
        for change in sql.changes_of(driver, club=club_no, customer=customer["customer"]):
            what = words.event(change["kind"], change["reason"], change["after"] or {})
            events.append({"at": change["at"], "what": what, "run": change["run"]})
    if erp_id:
        for finding in sql.all_findings_for(driver, club=club_no, erp_id=erp_id):
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
