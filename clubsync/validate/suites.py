"""The suites of `expectations/`: from facts to findings (R22), by Great Expectations.

The suites are the one place where a record rule has its code, severity and advice. They are given ids and
derived columns only, because the lists that Great Expectations returns carry the values of the columns it
evaluates (R19). One run covers all clubs of a task, and each combination of facts once: importing Great
Expectations costs seconds, and a failing row 45 microseconds an expectation.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from clubsync import emails
from clubsync.i18n import translations
from clubsync.marks import ONE_CLUB, TOGETHER, Marks
from clubsync.model import (
    CONFLICTING,
    FINDINGS,
    GONE,
    MISSING,
    NO,
    UNKNOWN,
    UNSEEN,
    VANISHED,
    WITHOUT_ID,
    YES,
    Policy,
)
from clubsync.validate.facts import GROUP_STATE
from connectors.sdk import footers

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"


@lru_cache(maxsize=1)
def definitions() -> dict[str, Any]:
    """The suite of records as JSON."""
    found: dict[str, Any] = json.loads(
        (EXPECTATIONS / "customers.json").read_text(encoding="utf-8")
    )
    return found


@lru_cache(maxsize=1)
def _of_the_base() -> dict[str, Any]:
    """The findings that no suite tells, with their words."""
    text = (EXPECTATIONS / "base.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)["findings"]
    return found


@lru_cache(maxsize=1)
def wording() -> dict[tuple[str, str, str | None], str]:
    """(code, severity, what it is about) -> advice in English, of all codes; of several expectations the first.

    What a finding is about is `about` in its detail; None: nothing in particular.
    """
    words: dict[tuple[str, str, str | None], str] = {}
    metas = [expectation["meta"] for expectation in definitions()["expectations"]]
    metas += [{"code": code, **meta} for code, meta in _of_the_base().items()]
    for meta in metas:
        for about, text in {None: meta["advice"], **meta.get("about", {})}.items():
            words.setdefault((meta["code"], meta["severity"], about), text)
    return words


def advice(code: str, severity: str, detail: Mapping[str, Any], language: str = "en") -> str:
    """The plain sentence of a finding: what is wrong and what to do where.

    :param language: en, or one that the catalogue has (`clubsync.i18n`).
    """
    words = wording()
    english = (
        words.get((code, severity, detail.get("about")))
        or words.get((code, severity, None))
        or next(text for (c, _, _), text in words.items() if c == code)
    )
    text = translations(language).gettext(english)
    named = {
        # two groups may have one name
        key: ", ".join(dict.fromkeys(map(str, value))) if isinstance(value, list) else str(value)
        for key, value in detail.items()
    }
    if detail.get("count", 0) > len(detail.get("others", ())):
        named["others"] += f", \u2026 ({detail['count']})"
    if "reasons" in detail:
        named["reasons"] = ", ".join(similarity(detail["reasons"], language))
    for key in (
        *("others", "groups", "owner", "successor", "reasons", "row"),
        *("fields", "words", "word", "holder"),
    ):
        text = text.replace("{" + key + "}", named.get(key) or "-")
    return text


def similarity(reasons: Sequence[str], language: str = "en") -> list[str]:
    """R23: why two records look like one person, in words.

    :param reasons: codes of `clubsync.validate.similarity`.
    """
    words = _of_the_base()["SIMILAR_RECORD"]["reasons"]
    say = translations(language).gettext
    return [say(words[code]) for code in words if code in reasons]


#: What a rule says of an email and of groups: what the facts say, and what a club's policy makes of it.
_EMAIL_STATE = pl.Enum([*emails.STATE.categories, "not_kept", "not_own"])
_GROUP_STATE = pl.Enum([*GROUP_STATE.categories, "lacking"])


def derived(records: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """What the suites see of evaluated records: ids, verdicts and counts; no value of a person's.

    :param records: with their facts (`clubsync.validate.facts.evaluate`); those that are not in the ERP, or have
        no access by their plain status, are left out (R22).
    :returns: erp_id and one column for each rule; null where it does not apply.
    """
    presence, group_state = pl.col("presence"), pl.col("group_state")
    person = _person()
    not_kept = {"missing": "not_kept", "placeholder": "not_own"} if policy.phone_centred else {}
    email_state = pl.col("email_state").cast(_EMAIL_STATE).replace(not_kept)
    lacking = (
        pl.when((group_state == "none") & policy.group_required)
        .then(pl.lit("lacking", dtype=_GROUP_STATE))
        .otherwise(group_state.cast(_GROUP_STATE))
    )

    named = pl.col("first_name").is_not_null() | pl.col("last_name").is_not_null()

    def of_persons(value: pl.Expr, among: pl.Expr = person) -> pl.Expr:
        """Null where the rule does not apply: Great Expectations skips nulls."""
        return pl.when(among).then(value)

    seen = records.lazy().filter(
        ~presence.is_in([UNSEEN, MISSING, VANISHED, GONE])
        & ((pl.col("status_access") != NO) | (presence == CONFLICTING))
    )
    # lazily: only the columns that are asked for are copied
    return seen.select(
        "erp_id",
        conflicting=_unclear(records.columns),
        without_id=_without_id(),
        placeholder=pl.when(_without_id().is_null()).then("placeholder"),
        replaced=pl.col("successor").is_not_null(),
        dependant=pl.col("owner_id").is_not_null() & (presence != CONFLICTING),
        status_known=of_persons(pl.col("status") != UNKNOWN),
        dates_read=of_persons(_dates_read(records)),
        email_state=of_persons(email_state, person & (group_state != "former")),
        shared=of_persons((pl.col("cluster") > 1) & (pl.col("access") == YES)),
        group_state=of_persons(lacking),
        groups_unknown=of_persons(
            pl.max_horizontal(
                "groups_unknown", group_state.is_in(["withheld", "unmatched"]).cast(pl.UInt32)
            ),
            person & ~group_state.is_in(["former", "unreadable"]),
        ),
        named=of_persons(named, person & ~pl.col("odd_links")),
        fields_read=_fields_read(records, person, named),
    ).collect()


def _unclear(columns: Sequence[str]) -> pl.Expr:
    """Whether several rows have its id, or, in a source without ids, may be it; or it may be another row (R1)."""
    twin = pl.col("ambiguous") if "ambiguous" in columns else pl.lit(False)
    nameless = pl.col("erp_id").str.starts_with("~")
    return (
        pl.when(pl.col("presence") == CONFLICTING)
        .then(pl.when(nameless).then(pl.lit("row")).otherwise(pl.lit("id")))
        .when(twin)
        .then(pl.lit("twin"))
    )


def _without_id() -> pl.Expr:
    """Whose a row without an id may be (R14): its "email" says it, a "person" without one, or "nobody"."""
    lacking = pl.col("erp_id").str.starts_with(WITHOUT_ID)
    whose = (
        pl.when(pl.col("email").is_not_null())
        .then(pl.lit("email"))
        .when(footers.is_person(among=lacking))
        .then(pl.lit("person"))
        .otherwise(pl.lit("nobody"))
    )
    return pl.when(lacking).then(whose)


def _person() -> pl.Expr:
    """Whether a record is somebody whose status, email and groups are to be looked at."""
    return (
        ~pl.col("placeholder")
        & pl.col("successor").is_null()
        & pl.col("owner_id").is_null()
        & (pl.col("presence") != CONFLICTING)
    )


#: Dates that decide nothing: that one cannot be read is for information.
_OTHER_DATES = ("birth_date", "created_at")
_OTHER_FIELDS = ("first_name", "last_name", "phone")


def _names(records: pl.DataFrame, fields: Sequence[str]) -> pl.Expr:
    """Whether one of these fields cannot be read; of nearly all records none is."""
    if not records["unreadable"].list.len().sum():
        return pl.lit(False)  # a value
    part = pl.element().struct.field("field").is_in(list(fields))
    return pl.col("unreadable").list.eval(part).list.any().fill_null(False)


def _dates_read(records: pl.DataFrame) -> pl.Expr:
    """R3: "yes", "no" where a date that decides the access cannot be read, "other" where another one cannot."""
    return (
        pl.when(pl.col("odd_days") | pl.col("odd_group_days"))
        .then(pl.lit("no"))
        .when(_names(records, _OTHER_DATES))
        .then(pl.lit("other"))
        .otherwise(pl.lit("yes"))
    )


def _fields_read(records: pl.DataFrame, person: pl.Expr, named: pl.Expr) -> pl.Expr:
    """R3: "yes", "link" where the record that it refers to cannot be read, "other" where a name or a phone cannot.

    One record has one finding of a code: who has no name at all is told that.
    """
    return (
        pl.when(pl.col("odd_links"))
        .then(pl.lit("link"))
        .when(person & named & _names(records, _OTHER_FIELDS))
        .then(pl.lit("other"))
        .when(person & named)
        .then(pl.lit("yes"))
    )


def findings(
    clubs: Mapping[str, tuple[pl.DataFrame, Policy]], together: Collection[str] = ()
) -> dict[str, pl.DataFrame]:
    """Evaluate the records of many clubs in one run.

    :param clubs: club id -> its records with their facts (`clubsync.validate.facts.evaluate`), and its policy.
    :param together: those of the keys that stand for several clubs of one policy, whose ids are marked.
    :returns: club id -> `FINDINGS`, detail as JSON text of bare ids.
    """
    seen = {
        club: derived(records, policy).with_columns(club=pl.lit(club))
        for club, (records, policy) in clubs.items()
    }
    rows = pl.concat(seen.values()) if seen else pl.DataFrame()
    if rows.is_empty():
        return {club: FINDINGS.to_frame() for club in clubs}
    failed = _validate(rows).partition_by("club", as_dict=True, include_key=False)
    none = pl.DataFrame(schema={"erp_id": pl.String, "code": pl.String, "severity": pl.String})
    return {
        club: _detailed(
            failed.get((club,), none), records, TOGETHER if club in together else ONE_CLUB
        )
        for club, (records, _) in clubs.items()
    }


def _validate(rows: pl.DataFrame) -> pl.DataFrame:
    """Run the suite; failing rows by key: club, erp_id, code, severity; in the suite's order.

    A million records come in some hundred different combinations of facts, and an expectation on the
    values of a row says the same of equal rows: so each combination is evaluated once in a process.
    """
    facts = [name for name in rows.columns if name not in ("club", "erp_id")]
    combinations = rows.lazy().select(facts).unique(maintain_order=True).collect()
    failed = _expect_new(combinations)
    return (
        combinations.with_row_index("combination")
        .join(failed, on="combination", how="inner")
        .lazy()
        .join(rows.lazy(), on=facts, how="inner", nulls_equal=True, maintain_order="right")
        .sort("expectation", maintain_order=True)
        .select("club", "erp_id", "code", "severity")
        .collect()
    )


#: What fails of a combination of facts: places of expectations, codes, severities.
Failures = tuple[tuple[int, str, str], ...]
#: By suite, and by combination: its facts, in the order of their names.
_evaluated: dict[str, dict[tuple[Any, ...], Failures]] = {}
#: Combinations that are remembered of a suite. A million records have some hundred.
_REMEMBERED = 100_000


def forget() -> None:
    """Evaluate every combination of facts again: for measurements."""
    _evaluated.clear()


def _expect_new(combinations: pl.DataFrame) -> pl.DataFrame:
    """What fails of combinations of facts, of which only those go to Great Expectations that this process has not seen.

    A run of the suite costs a quarter of a second, however few rows it is given.

    :returns: as `_expect`.
    """
    suite = json.dumps(definitions(), sort_keys=True)
    known = _evaluated.setdefault(suite, {})
    if len(known) > _REMEMBERED:
        known = _evaluated[suite] = {}
    rows = combinations.select(sorted(combinations.columns)).rows()
    new = [n for n, row in enumerate(rows) if row not in known]
    if new:
        failed: dict[int, list[tuple[int, str, str]]] = {n: [] for n in new}
        for n, *failure in _expect(combinations.with_row_index("combination")[new]).iter_rows():
            failed[n].append((failure[0], failure[1], failure[2]))
        known.update((rows[n], tuple(failures)) for n, failures in failed.items())
    found = [(n, *failure) for n, row in enumerate(rows) for failure in known[row]]
    return pl.DataFrame(found, schema=_FAILED, orient="row")


#: `combination`: a row's number; `expectation`: its place in the suite.
_FAILED = {
    "combination": pl.UInt32,
    "expectation": pl.Int64,
    "code": pl.String,
    "severity": pl.String,
}


def _expect(rows: pl.DataFrame) -> pl.DataFrame:
    """Great Expectations itself: what fails of rows that each have a number.

    :param rows: `combination` and the facts.
    :returns: `_FAILED`.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.core.expectation_suite import ExpectationSuite

    for chatty in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    definition = definitions()
    for expectation in definition["expectations"]:
        if not expectation["type"].startswith("expect_column_values_"):
            raise RuntimeError(f"{expectation['type']} does not evaluate each row by itself")
    suite = ExpectationSuite(name=definition["name"], expectations=definition["expectations"])
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]  # a dict is what it takes
    batch = (
        context.data_sources.add_pandas("facts")
        .add_dataframe_asset("records")
        .add_batch_definition_whole_dataframe("whole")
        .get_batch({"dataframe": rows.cast({pl.Enum: pl.String}).to_pandas()})
    )
    result = batch.validate(
        suite,
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["combination"],
        },
    )
    failed: list[tuple[int, int, str, str]] = []
    for place, outcome in enumerate(result.results):
        config = outcome.expectation_config
        if config is None or _raised(outcome.exception_info):
            raise RuntimeError(f"expectation {place} of the suite could not be evaluated")
        failed += [
            (key["combination"], place, config.meta["code"], config.meta["severity"])
            for key in outcome.result.get("unexpected_index_list") or []
        ]
    return pl.DataFrame(failed, schema=_FAILED, orient="row")


def _raised(info: Mapping[str, Any]) -> bool:
    """Whether an expectation raised an error, by itself or in one of its metrics, rather than failed."""
    parts = [info, *(part for part in info.values() if isinstance(part, Mapping))]
    return any(part.get("raised_exception", False) for part in parts)


#: Others that a finding names; of 5,000 records with one email each has a finding of its own (R7), and none a list of
#: all others.
_NAMED = 20


def _detailed(failed: pl.DataFrame, records: pl.DataFrame, marks: Marks) -> pl.DataFrame:
    """Add what the sentence needs to name: ids of other records and of groups, nothing else.

    :param failed: erp_id, code, severity.
    :returns: `FINDINGS`.
    """
    if failed.is_empty():
        return FINDINGS.to_frame()
    clusters = (
        records.filter((pl.col("access") == YES) & (pl.col("cluster") > 1))
        .select("email_norm", "erp_id")
        .sort("erp_id")
        .group_by("email_norm", maintain_order=True)
        # one more than is named: who is named to themselves is left out
        .agg(cluster_ids=pl.col("erp_id").head(_NAMED + 1))
    )
    facts = records.join(clusters, on="email_norm", how="left").select(
        *("erp_id", "odd_groups", "owner_id", "successor", "cluster_ids", "cluster"),
        *("group_state", "email_about", "status_raw", "unreadable", "email"),
    )
    rows = failed.join(facts, on="erp_id", how="left")
    told = _with_unreadable(rows.with_columns(detail=_detail(marks)))
    return told.select("erp_id", "code", "severity", "detail")


def _detail(marks: Marks) -> pl.Expr:
    """What each sentence names, as JSON text."""
    others = pl.col("cluster_ids").list.set_difference(pl.concat_list("erp_id")).list.sort()
    if marks.together:
        others = others.list.eval(marks.bare(pl.element()))
    many = pl.col("cluster") > _NAMED + 1
    groups = pl.col("odd_groups").list.head(_NAMED)
    about_groups = pl.col("code").is_in(["GROUP_INACTIVE", "GROUP_FORMER", "GROUP_UNKNOWN"])

    def counted() -> pl.Expr:
        parts = [others.list.head(_NAMED).alias("others"), (pl.col("cluster") - 1).alias("count")]
        return pl.struct(parts).struct.json_encode()

    def text(name: str, value: pl.Expr, about: pl.Expr | None = None) -> pl.Expr:
        parts = [value.alias(name)] if about is None else [about.alias("about"), value.alias(name)]
        return pl.struct(parts).struct.json_encode()

    about_email = pl.col("code").is_in(["EMAIL_INVALID", "EMAIL_PLACEHOLDER"])
    unknown, state = pl.col("code") == "GROUP_UNKNOWN", pl.col("group_state")
    word = pl.col("status_raw")

    return (
        pl.when((pl.col("code") == "EMAIL_DUPLICATE") & many)
        .then(counted())
        .when(pl.col("code") == "EMAIL_DUPLICATE")
        .then(text("others", others.list.head(_NAMED)))
        .when(unknown & state.is_in(["withheld", "unmatched"]))
        .then(text("groups", groups, state.cast(pl.String)))
        .when(about_groups)
        .then(text("groups", groups))
        .when(pl.col("code") == "EMAIL_SHARED_FAMILY")
        .then(text("owner", marks.bare(pl.col("owner_id"))))
        .when((pl.col("code") == "ID_MISSING") & pl.col("email").is_null())
        .then(text("row", pl.col("status_raw"), pl.lit("nobody")))
        .when(pl.col("code") == "ID_MISSING")
        .then(text("row", pl.col("status_raw")))
        .when(pl.col("code") == "RECORD_MERGED")
        .then(text("successor", marks.bare(pl.col("successor"))))
        .when(about_email & pl.col("email_about").is_not_null())
        .then(text("about", pl.col("email_about")))
        .when((pl.col("code") == "STATUS_UNKNOWN") & word.is_not_null())
        .then(text("word", word, pl.lit("word")))
        .otherwise(pl.lit("{}"))
    )


#: Code of a finding about what cannot be read -> the fields that it is about.
_ABOUT = {
    "DATE_UNREADABLE": ("valid_from", "valid_until", *_OTHER_DATES),
    "EMAIL_INVALID": ("email",),
    "GROUP_UNKNOWN": ("groups",),
    "FIELD_MISSING": (*_OTHER_FIELDS, "guardian_id", "replaced_by", "placeholder"),
}


def _with_unreadable(rows: pl.DataFrame) -> pl.DataFrame:
    """Findings about what cannot be read with the fields, of a membership's days with its group, and the words.

    :param rows: erp_id, code, detail, `unreadable`.
    """
    told = (
        rows.select("erp_id", "code", "unreadable")
        .filter((pl.col("unreadable").list.len() > 0) & pl.col("code").is_in(list(_ABOUT)))
        .explode("unreadable")
        .unnest("unreadable")
        .filter(
            pl.any_horizontal(
                (pl.col("code") == code) & pl.col("field").is_in(fields)
                for code, fields in _ABOUT.items()
            )
        )
    )
    if told.is_empty():
        return rows
    of_group = pl.format("{} ({})", "field", "group")
    details = (
        told.with_columns(field=pl.coalesce(of_group, "field"))
        .group_by("erp_id", "code")
        .agg(
            fields=pl.col("field").unique().sort().head(_NAMED),
            words=pl.col("word").drop_nulls().unique().sort().head(_NAMED),
        )
        .select("erp_id", "code", told=pl.struct("fields", "words").struct.json_encode())
    )
    return rows.join(
        details, on=["erp_id", "code"], how="left", maintain_order="left"
    ).with_columns(detail=pl.coalesce("told", "detail"))
