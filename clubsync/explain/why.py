"""R24: explain in plain words why a person is or is not in the Customers group, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.explain import questions, quoting
from clubsync.explain.lookup import Found, erasure_of, lookup
from clubsync.explain.questions import Known, Membership, Question
from clubsync.explain.situation import Evaluated, evaluated, suspicions_of
from clubsync.explain.standing import Standing, standing
from clubsync.explain.wording import Words
from clubsync.model import MOVED, WITHOUT_ID
from clubsync.store.database import Driver, queries
from clubsync.validate import suites
from connectors.sdk import quoted as quotes
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
    :param sentence: all of it in one go; headline: the verdict alone, with what was decided or is awaited.
    :param situation: of the ERP record (`clubsync.diff.plan`); None if there is none, or none was loaded.
    :param candidates: the people whose name matches, if there are several.
    :param customer, erp_id: the person's base customer and ERP record, if there is one.
    :param questions: the four that support asks, where there is a person; groups: those of the ERP record.
    :param standing: how the club stands, which every answer depends on.
    :param request: id of a pending request of an app account with the email, of somebody who is no customer.
    """

    verdict: Literal["in", "out", "unknown"]
    reasons: list[str]
    sentence: str
    timeline: list[dict[str, Any]]
    headline: NotRequired[str]
    situation: NotRequired[str | None]
    candidates: NotRequired[Sequence[PeopleOfClubByNameRow | PeopleByKeyRow]]
    customer: NotRequired[int | None]
    erp_id: NotRequired[str | None]
    questions: NotRequired[list[Question]]
    groups: NotRequired[list[Membership]]
    standing: NotRequired[Standing]
    request: NotRequired[int | None]


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
    words = Words(config.name, config.zone, language, masked, to_viewer)
    answer = _why(
        *(driver, club_no, config, who, words),
        by_id=by_id,
        tell_erased=tell_erased,
        by_name=by_name,
    )
    answer["standing"] = standing(driver, club_no, config, words)
    answer.setdefault("headline", answer["sentence"])
    if chain is None:
        return answer
    return _with_club_unknown(driver, chain, who, answer, words)


def _with_club_unknown(
    driver: Driver, chain: str, who: str, answer: Answer, words: Words
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
        "headline": f"{answer['headline'] if told else ''} {sentence}".strip(),
    }


def _why(
    driver: Driver,
    club_no: int,
    config: ClubConfig,
    who: str,
    words: Words,
    *,
    by_id: bool,
    tell_erased: bool,
    by_name: bool,
) -> Answer:
    found = lookup(driver, club_no, who, by_id=by_id)
    if found.rows:
        return _about(driver, club_no, config, who, found, words)
    if tell_erased and (erased := _erased(driver, club_no, who, words)):
        return erased
    if found.account:
        return _account_alone(driver, club_no, who, found, words)
    if by_id:
        return _never(driver, club_no, who, words, by_id=True)
    if not by_name:
        answer = _never(driver, club_no, who, words, by_id="@" not in who)
        return {**answer, "sentence": f"{answer['sentence']} {words.say('exact_only')}"}
    return _by_name(driver, club_no, config, who, words)


def _about(
    driver: Driver, club_no: int, config: ClubConfig, who: str, found: Found, words: Words
) -> Answer:
    """The answer about the person who was found."""
    sql, language = queries(), words.language
    customer = found.customers[0] if found.customers else None
    erp_id = customer["erp_id"] if customer else found.rows[0]["erp_id"]
    record = sql.record(driver, club=club_no, erp_id=erp_id) if erp_id else None
    findings = list(sql.open_findings_for(driver, club=club_no, erp_id=erp_id)) if erp_id else []
    for other in _rows_without_id(driver, club_no, found.rows, record):
        if other != erp_id:
            findings += sql.open_findings_for(driver, club=club_no, erp_id=other)
    if words.to_viewer:
        findings = _for_viewers(driver, club_no, findings, record)
    seen = evaluated(driver, club_no, config, erp_id, findings) if erp_id else Evaluated(None)
    known = Known(
        *(erp_id, customer, record, findings),
        suspicions=suspicions_of(driver, club_no, erp_id) if erp_id else [],
        evaluated=seen,
        found=found,
        request=found.request,
    )
    asked = seen
    if found.moved:  # what the record that was asked for is now
        asked = evaluated(driver, club_no, config, who.strip(), ())
    # who awaits another club of the chain alone awaits no reading (R29)
    moved = bool(known.suspicions) and all(one["sign"] == MOVED for one in known.suspicions)
    headline = [*_how_found(who, found, words), _headline(driver, club_no, known, words)]
    headline += [words.suspicion(one["sign"], one["read_at"]) for one in known.suspicions]
    advice = [suites.advice(f["code"], f["severity"], f["detail"], language) for f in findings]
    sentence = [*headline, *_details(known, None if moved else asked, words), *advice]
    inside = bool(customer and customer["in_customers_group"])
    return Answer(
        verdict="in" if inside else "out",
        reasons=_reasons(known, words),
        sentence=" ".join(filter(None, sentence)),
        headline=" ".join(filter(None, headline)),
        timeline=_timeline(driver, club_no, words, known),
        situation=asked.situation,
        customer=customer["customer"] if customer else None,
        erp_id=erp_id,
        questions=questions.ask(driver, club_no, known, words),
        groups=questions.memberships(known, words),
    )


def _reasons(known: Known, words: Words) -> list[str]:
    """Codes of findings; where there are none, the engine's own reason."""
    customer, seen = known.customer, known.evaluated
    reasons = [f["code"] for f in known.findings]
    if not reasons and customer:
        reasons = [customer["reason"]] if customer["reason"] else []
    elif not reasons and known.record:
        reasons = [seen.facts.get("access_reason") or str(seen.situation or "unknown")]
    if known.found.moved:
        reasons = ["merged", *reasons]
    return [*reasons, "suspected"] if known.suspicions else reasons


def _how_found(who: str, found: Found, words: Words) -> list[str]:
    """How what the caller said leads to this person, where it is not theirs any more, or not in the ERP."""
    if found.moved:
        other, when = found.moved["erp_id"] or "–", words.when(found.moved["at"])
        return [words.say("moved", erp_id=who.strip(), other=other, when=when)]
    if found.by_account and found.email:
        return [words.say("by_account", email=words.masked(found.email))]
    return []


def _account_alone(driver: Driver, club_no: int, who: str, found: Found, words: Words) -> Answer:
    """R24: nobody in the club has the email but an app account: its request, or that it has made none."""
    request, never = found.request, _never(driver, club_no, who, words)
    if request is None or request["state"] == "accepted":
        sentence = f"{never['sentence']} {words.say('account_only')}"
        return {**never, "sentence": sentence}
    asked = words.when(request["created_at"])
    refused = request["state"] == "refused"
    key = "refused" if refused else "requested"
    decided = words.when(request["decided_at"] or request["created_at"])
    values = {"asked": asked, "when": decided} if refused else {"when": asked}
    known = Known(None, None, None, (), (), Evaluated(None), found, request)
    return Answer(
        verdict="out",
        reasons=[f"request_{request['state']}"],
        sentence=words.say(key, **values),
        timeline=[{"at": request["created_at"], "what": words.say("request_made"), "run": None}],
        questions=questions.ask(driver, club_no, known, words),
        request=None if refused else request["request_id"],
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


def _by_name(driver: Driver, club_no: int, config: ClubConfig, who: str, words: Words) -> Answer:
    """The only person whose name matches, or the candidates."""
    people = (
        []
        if "@" in who
        else list(queries().people_of_club_by_name(driver, club=club_no, fragment=tidy(who)))
    )
    if not people:
        return _never(driver, club_no, who, words)
    if len(people) == 1:
        (one,) = people
        row: FindPersonRow = {"erp_id": one["erp_id"], "customer": one["customer"]}
        found = Found([row])
        if one["customer"]:
            customer = queries().customer(driver, club=club_no, customer=one["customer"])
            found = replace(found, customers=[customer] if customer else [])
        return _about(driver, club_no, config, who, found, words)
    text = words.say("several", n=len(people))
    return Answer(verdict="unknown", reasons=[], sentence=text, timeline=[], candidates=people)


def _erased(driver: Driver, club_no: int, who: str, words: Words) -> Answer | None:
    """R20, R24: the answer about somebody whose erasure was ordered, whom a keyed hash alone still names."""
    order = erasure_of(driver, club_no, who)
    if order is None:
        return None
    at = order["ordered_at"]
    event = {"at": at, "what": words.event("erasure", None, {}), "run": order["run"] or None}
    sentence = words.say("erased", when=words.when(at))
    return Answer(verdict="out", reasons=["erased"], sentence=sentence, timeline=[event])


def _never(driver: Driver, club_no: int, who: str, words: Words, *, by_id: bool = False) -> Answer:
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


def _headline(driver: Driver, club_no: int, known: Known, words: Words) -> str:
    """Whether the person is in, since when and why not, and what people decided or have to decide."""
    customer, name = known.customer, words.name(known.erp_id)
    if customer is None:
        return words.say("never_because", name=name, reason=_why_never(known, words))
    if customer["in_customers_group"]:
        decisions = _decisions(driver, club_no, customer, words)
        return " ".join([words.say("in", name=name), *decisions])
    reason = words.out(customer["reason"] or "")  # a customer without access has one
    if customer["reason_at"]:
        since = words.when(customer["reason_at"])
        return words.say("out_since", name=name, when=since, reason=reason)
    return words.say("out", name=name, reason=reason)


def _why_never(known: Known, words: Words) -> str:
    """The engine's own reason, as the end of a sentence; that the ERP gives a status alone is none."""
    seen = known.evaluated
    if reason := seen.facts.get("access_reason"):
        return words.out(reason)
    if seen.situation:
        return words.in_situation(seen.situation)
    return words.say("not_loaded")


def _decisions(driver: Driver, club_no: int, customer: CustomerRow, words: Words) -> list[str]:
    """R15: the open hold that the customer is on, or the rejection that keeps them."""
    number = customer["customer"]
    hold: HeldCustomerRow | None = queries().held_customer(driver, club=club_no, customer=number)
    if hold:
        cause, since = words.message(hold["cause"]), words.when(hold["opened_at"])
        return [words.say("held", hold=hold["hold"], cause=cause, when=since)]
    for row in queries().decided_holds_of(driver, club=club_no, customer=number):
        if row["until"] and row["until"] > clock.now() and row["decided_at"]:
            return [
                words.say(
                    "hold_rejected",
                    hold=row["hold"],
                    who=row["decided_by"] or "–",
                    cause=words.message(row["cause"]),
                    when=words.when(row["decided_at"]),
                    until=words.when(row["until"]),
                )
            ]
    return []


def _details(known: Known, seen: Evaluated | None, words: Words) -> list[str]:
    """What the ERP says of the record, and how the engine takes it.

    :param seen: of the record that was asked for; None: nothing need be said.
    """
    customer, record = known.customer, known.record
    said = []
    if customer and customer["in_customers_group"]:
        said.append(words.say(customer["link"]))
    if record and record["gone_at"]:
        said.append(words.say("gone_since", when=words.when(record["gone_at"])))
    elif record:
        when = words.when(record["as_of"])
        said.append(words.say("last_change", when=when, status=record["status"]))
    if seen and seen.situation:
        said.append(words.situation(seen.situation))
    return said


def _timeline(driver: Driver, club_no: int, words: Words, known: Known) -> list[dict[str, Any]]:
    """The history, oldest first: when the ERP record was seen, every change, finding and decision."""
    sql, record, customer, erp_id = queries(), known.record, known.customer, known.erp_id
    events: list[dict[str, Any]] = []

    def add(at: Any, what: str, run: int | None = None) -> None:
        events.append({"at": at, "what": what, "run": run})

    if record:
        add(record["first_seen"], words.say("first_seen"))
        if record["gone_at"]:
            add(record["gone_at"], words.say("not_any_more"))
    if customer:
        for change in sql.changes_of(driver, club=club_no, customer=customer["customer"]):
            what = words.event(change["kind"], change["reason"], change["after"] or {})
            add(change["at"], what, change["run"])
        for hold in sql.decided_holds_of(driver, club=club_no, customer=customer["customer"]):
            values = {"decision": words.say(hold["state"]), "who": hold["decided_by"] or "–"}
            add(hold["decided_at"], words.say("hold_decided", hold=hold["hold"], **values))
    if erp_id:
        for finding in sql.all_findings_for(driver, club=club_no, erp_id=erp_id):
            add(finding["since"], words.say("opened", code=finding["code"]), finding["run"])
            if finding["closed_at"]:
                closed = words.say("closed", code=finding["code"])
                add(finding["closed_at"], closed, finding["closed_run"])
    return sorted(events, key=lambda event: event["at"])
