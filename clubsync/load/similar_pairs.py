"""R23: the pairs of similar records of a club, kept as its records change.

The load calls `update_pairs` in its own transaction, with the records that it has written to the mirror: only
they are compared, with those who share a blocking key. What stands is in sync.similar_pair; a finding on
both records names the other, and closes when the pair is no more: a card gone, out by its plain status,
edited apart, or the pair ignored. Nobody is ever merged by us.

Comparing is bounded in every run. A run that writes more than `AT_ONCE` records (a first load, another
policy) compares of them only those that are in a pair, and starts a walk through the whole club:
each later run that changes something takes `A_RUN` more records of it, and `catch_up` all that are left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypedDict

import polars as pl

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.model import Policy
from clubsync.store.database import Base, Driver, fetch, queries
from clubsync.store.round_trip import Answer, RoundTrip
from clubsync.validate import similar_few, similarity

if TYPE_CHECKING:
    from clubsync.store.queries import SimilarCandidatesRow, SimilarPartnersRow

AT_ONCE = 5_000
A_RUN = 1_000
#: Records up to which PostgreSQL finds the pairs, and pairs up to which each is weighed by itself.
FEW = 100

_PEOPLE: dict[str, Any] = {
    **similarity.PEOPLE,
    "guardian_id": pl.String,
    "replaced_by": pl.String,
    "stands": pl.Boolean,
}
_PAIR: dict[str, Any] = {"a": pl.String, "b": pl.String}


class _Who(TypedDict):
    """Whose records take part: the parameters of `similar_people`, but for the ids."""

    club: int
    statuses: list[str]
    today: date


def update_pairs(
    driver: Driver,
    club: int,
    run: int,
    policy: Policy,
    changed: pl.Series,
    at: datetime,
    *,
    first: bool,
) -> str | None:
    """Compare the records that a load has just written.

    :param driver: inside the load's transaction; the mirror is written.
    :param changed: erp_ids of the mirror rows that were written.
    :param first: nothing of the club was loaded before.
    :returns: a note for the run where not all records of the club are compared yet.
    """
    if changed.is_empty():
        return None
    sql = queries()
    statuses, today = policy.access_statuses, policy.today
    if len(changed) > AT_ONCE:
        paired = _paired(driver, club, changed)
        if paired:
            _compare(driver, club, run, paired, statuses=statuses, today=today, at=at)
        sql.set_similar_upto(driver, club=club, upto="")
        return (
            f"Similar records: {len(changed)} records are too many to compare in this run; later runs do, "
            f"{A_RUN} each."
        )
    ids, upto = changed.to_list(), sql.similar_upto(driver, club=club)
    if upto is not None:
        # what is loaded for the first time is all there is
        more = [] if first else _next(driver, club, upto, A_RUN)
        upto = more[-1] if len(more) == A_RUN else None
        ids = list(dict.fromkeys([*ids, *more]))
    _compare(driver, club, run, ids, statuses=statuses, today=today, at=at)
    sql.set_similar_upto(driver, club=club, upto=upto)
    return (
        None if upto is None else "Similar records: not all are compared yet; later runs continue."
    )


@dataclass(frozen=True)
class Compared:
    """What is asked about the records that a small load has just written."""

    upto: Answer[str | None]
    partners: Answer[Iterator[SimilarPartnersRow]]
    candidates: Answer[Iterator[SimilarCandidatesRow]]


def add_compared(
    trip: RoundTrip, club: int, policy: Policy, changed: list[str], keys: str | None
) -> Compared:
    """Bring the keys of a few records up to date, and ask whom they may be similar to.

    :param trip: after the statements that write the mirror.
    :param keys: of these records, compared or not: erp_id and key as JSON.
    """
    sql, statuses = queries(), sorted(policy.access_statuses)
    trip.add(sql.delete_similar_keys, club=club, ids=changed)
    if keys is not None:
        trip.add(
            sql.write_keys_of_compared,
            club=club,
            rows=keys,
            statuses=statuses,
            today=policy.today,
        )
    return Compared(
        upto=trip.add(sql.similar_upto, club=club),
        partners=trip.add(sql.similar_partners, club=club, ids=changed),
        candidates=trip.add(
            sql.similar_candidates,
            club=club,
            ids=changed,
            crowd=similarity.CROWD,
            statuses=statuses,
            today=policy.today,
        ),
    )


def update_few(
    trip: RoundTrip,
    club: int,
    run: int,
    compared: Compared,
    at: datetime,
) -> bool:
    """`update_pairs` of the few records that were asked about; False: that is what has to be called.

    :param trip: is given what is left to write.
    """
    candidates = list(compared.candidates.value)
    crowded = any(row["crowded"] for row in candidates)
    if compared.upto.value is not None or crowded or len(candidates) > FEW:
        return False
    sql, found = queries(), list[dict[str, Any]]()
    for row in candidates:
        weighed = similar_few.weigh(
            similar_few.Person.of(
                row["a_first_name"],
                row["a_last_name"],
                row["a_phone"],
                row["a_birth_date"],
                row["a_email"],
            ),
            similar_few.Person.of(
                row["b_first_name"],
                row["b_last_name"],
                row["b_phone"],
                row["b_birth_date"],
                row["b_email"],
            ),
        )
        if weighed is not None:
            score, reasons = weighed
            found.append({"a": row["a"], "b": row["b"], "score": score, "reasons": reasons})
    pairs = {(row["a"], row["b"]) for row in found}
    was = [(row["a"], row["b"]) for row in compared.partners.value]
    if gone := [pair for pair in was if pair not in pairs]:
        lefts, rights = [a for a, _ in gone], [b for _, b in gone]
        trip.add(sql.delete_similar_pairs, club=club, lefts=lefts, rights=rights)
    if found:
        trip.add(sql.write_few_pairs, club=club, rows=json.dumps(found))
    if ids := sorted({erp_id for pair in (*was, *pairs) for erp_id in pair}):
        trip.add(sql.open_similar_findings, club=club, run=run, at=at, ids=ids)
        trip.add(sql.close_similar_findings, club=club, run=run, at=at, ids=ids)
    return True


def catch_up(base: Base, number: int, config: ClubConfig) -> int:
    """Compare all records of a club that no run has come to yet; one transaction for each `AT_ONCE`.

    :param number: base.club.club.
    :returns: how many records were compared.
    """
    sql, done = queries(), 0
    while True:
        with base.club(number) as driver:
            sql.lock_club(driver, club=number)
            upto = sql.similar_upto(driver, club=number)
            ids = [] if upto is None else _next(driver, number, upto, AT_ONCE)
            if ids:
                at = clock.now()
                run = sql.start_run(driver, club=number, trigger="similar records", at=at)
                _compare(
                    driver,
                    number,
                    run,
                    ids,
                    statuses=config.access_statuses,
                    today=clock.today(config.zone),
                    at=at,
                )
                sql.end_manual_run(driver, club=number, run=run, at=at, counts="{}", rows_written=0)
                sql.summarise_club(driver, club=number, customers=None, at=at)
            done += len(ids)
            if len(ids) < AT_ONCE:
                sql.set_similar_upto(driver, club=number, upto=None)
                return done
            sql.set_similar_upto(driver, club=number, upto=ids[-1])


def ignore(driver: Driver, club: int, run: int, a: str, b: str, *, at: datetime, by: str) -> bool:
    """Ignore a pair permanently, whether it is suggested now or not.

    :returns: whether it was not ignored yet.
    """
    sql = queries()
    new: int = sql.ignore_pair(driver, club=club, a=a, b=b, at=at, actor=by)
    sql.delete_similar_pairs(driver, club=club, lefts=[min(a, b)], rights=[max(a, b)])
    renew_findings(driver, club, run, [a, b], at)
    return bool(new)


def _paired(driver: Driver, club: int, changed: pl.Series) -> list[str]:
    """Those of the records that are in a pair, which may be no more; as many as are compared at once."""
    every = fetch(driver, queries().similar_pairs_of, _PAIR, club=club)
    if every.is_empty():
        return []
    named = pl.concat([every["a"], every["b"]]).unique()
    return named.filter(named.is_in(changed.implode())).sort().head(AT_ONCE).to_list()


def _next(driver: Driver, club: int, upto: str, max_rows: int) -> list[str]:
    rows = queries().next_to_compare(driver, club=club, upto=upto, max_rows=max_rows)
    return [row["erp_id"] for row in rows]


def _compare(
    driver: Driver,
    club: int,
    run: int,
    ids: Sequence[str],
    *,
    statuses: Iterable[str],
    today: date,
    at: datetime,
) -> None:
    """Bring keys, pairs and findings of these records up to date."""
    sql = queries()
    who: _Who = {"club": club, "statuses": sorted(statuses), "today": today}
    people = fetch(driver, sql.similar_people, _PEOPLE, **who, ids=list(ids))
    keys, was = similarity.keys(people), pl.DataFrame(schema=_PAIR)
    compared_already = sql.is_compared_already(driver, club=club)
    if compared_already:
        sql.delete_similar_keys(driver, club=club, ids=list(ids))
        was = fetch(driver, sql.similar_partners, _PAIR, club=club, ids=list(ids))
    if keys.height:
        _write_keys(driver, club, people["erp_id"], keys)
    blocks = _blocks(driver, club, keys) if compared_already else keys
    found = _found(driver, people, keys, blocks, who)
    gone = was.join(found, on=["a", "b"], how="anti")
    if gone.height:
        sql.delete_similar_pairs(
            driver, club=club, lefts=gone["a"].to_list(), rights=gone["b"].to_list()
        )
    if found.height:
        sql.write_similar_pairs(
            driver,
            [
                {"club": club, "a": a, "b": b, "score": score, "reasons": reasons}
                for a, b, score, reasons in found.select("a", "b", "score", "reasons").iter_rows()
            ],
        )
    touched = pl.concat([was["a"], was["b"], found["a"], found["b"]]).unique().to_list()
    if touched:
        renew_findings(driver, club, run, touched, at)


def _write_keys(driver: Driver, club: int, ids: pl.Series, keys: pl.DataFrame) -> None:
    """:param ids: erp_ids; the keys are of these."""
    places = keys.join(
        ids.to_frame().with_row_index("place", 1), on="erp_id", how="left", maintain_order="left"
    )
    queries().write_similar_keys(
        driver,
        club=club,
        ids=ids.to_list(),
        places=_array(places["place"]),
        keys=_array(keys["key"]),
    )


def _array(numbers: pl.Series) -> str:
    """Numbers as PostgreSQL writes an array."""
    return "{" + ",".join(map(str, numbers.to_list())) + "}"


def _blocks(driver: Driver, club: int, keys: pl.DataFrame) -> pl.DataFrame:
    """The records that have these keys, as far as is needed to know a crowd: `similarity.KEYS`."""
    return fetch(
        driver,
        queries().similar_blocks,
        similarity.KEYS,
        club=club,
        keys=keys["key"].unique().to_list(),
        limit_to=similarity.CROWD + 1,
    )


def _found(
    driver: Driver, people: pl.DataFrame, keys: pl.DataFrame, blocks: pl.DataFrame, who: _Who
) -> pl.DataFrame:
    """The pairs that these people are in: `similarity.PAIRS`.

    :param blocks: whoever has their keys, they included.
    """
    sql, club = queries(), who["club"]
    crowds = similarity.crowded(blocks)
    blocks = blocks.filter(~pl.col("key").is_in(crowds.implode()))
    compared = similarity.candidates(keys, blocks)
    if compared.is_empty():
        return similarity.PAIRS.to_frame()
    named = pl.concat([compared["a"], compared["b"]]).unique()
    others = named.filter(~named.is_in(people["erp_id"].implode())).to_list()
    if others:
        people = pl.concat([people, fetch(driver, sql.similar_people, _PEOPLE, **who, ids=others)])
    compared = _askable(compared, people)
    ignored = fetch(
        driver, sql.ignored_pairs, _PAIR, club=club, ids=compared["a"].unique().to_list()
    )
    known = pl.concat([ignored, ignored.select(a="b", b="a")])
    compared = compared.join(known, on=["a", "b"], how="anti", maintain_order="left")
    return similarity.score(compared, similarity.without_crowds(people, crowds))


def _askable(compared: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """The pairs that the ERP does not account for already.

    A family (R8: one guards the other, or one person guards both), a merge (R10) and a shared email (R7)
    are told elsewhere; and one of the two must stand for a customer, or a slip costs nobody anything.
    """
    sides = people.select("erp_id", "guardian_id", "replaced_by", "email", "stands")
    rows = compared.join(
        sides.rename(lambda n: f"a_{n}"), left_on="a", right_on="a_erp_id", how="inner"
    ).join(sides.rename(lambda n: f"b_{n}"), left_on="b", right_on="b_erp_id", how="inner")
    told = (
        (pl.col("a_guardian_id") == pl.col("b"))
        | (pl.col("b_guardian_id") == pl.col("a"))
        | (pl.col("a_guardian_id") == pl.col("b_guardian_id"))
        | (pl.col("a_replaced_by") == pl.col("b"))
        | (pl.col("b_replaced_by") == pl.col("a"))
        | (pl.col("a_email") == pl.col("b_email"))
    )
    apart = pl.any_horizontal(told.fill_null(False))
    return (
        rows.filter(~apart & (pl.col("a_stands") | pl.col("b_stands")))
        .select("a", "b")
        .sort("a", "b")
    )


def renew_findings(driver: Driver, club: int, run: int, ids: list[str], at: datetime) -> None:
    """Open, change and close the findings of these records by the pairs they are in."""
    sql = queries()
    sql.open_similar_findings(driver, club=club, run=run, at=at, ids=ids)
    sql.close_similar_findings(driver, club=club, run=run, at=at, ids=ids)
