"""The cost of evaluating records: the suites, and email validation."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec

import polars as pl
from email_validator import EmailNotValidError, validate_email

from benchmarks import data
from benchmarks.gates import Book
from clubsync import emails, model
from clubsync.model import Policy
from clubsync.validate import facts, suites
from connectors.sdk.emails import clean

P = ParamSpec("P")

PER_CLUB = 1000
SAMPLE_CLUBS = 10
SAMPLE_EMAILS = 10_000

#: Addresses that simple patterns get wrong: quoting, dots, dashes, case, length, other alphabets, special names.
EDGES: tuple[str, ...] = tuple(
    json.loads(Path(__file__).with_name("edges.json").read_text(encoding="utf-8"))
)


def measure(book: Book, rows: int, rounds: int) -> None:
    """Measure interleaved rounds of both and of their baselines, in CPU seconds of this process."""
    disagreements = sum(_ours(edge) != _theirs(edge) for edge in EDGES)
    book.add("e-mail check: disagreements with email-validator", disagreements)
    book.note("e-mail check", edge_addresses=len(EDGES))
    frame = data.customers(rows)
    clubs = _evaluated(frame)
    sample = dict(list(clubs.items())[:SAMPLE_CLUBS])
    addresses = frame["email"].drop_nulls()
    some = addresses.sample(min(addresses.len(), SAMPLE_EMAILS), seed=1).to_list()
    suites.findings(sample)  # warm-up: imports Great Expectations
    for _ in range(rounds):
        together = _cpu(_findings, clubs)
        # extrapolated from a sample of the clubs
        apart = sum(_cpu(_findings, {c: v}) for c, v in sample.items())
        apart *= len(clubs) / len(sample)
        book.add("suites over all clubs at once : a run per club, CPU", together / apart)
        book.note("suites", together_cpu=together, per_club_cpu_extrapolated=apart)
        emails.normalise.cache_clear()
        emails._domain.cache_clear()
        ours = _cpu(emails.evaluate, frame["email"]) / rows
        theirs = _cpu(lambda: [_theirs(email) for email in some]) / len(some)
        book.add("e-mail check : email-validator alone, CPU", ours / theirs)
        book.note("e-mail check", us_an_address=ours * 1e6, library_us_an_address=theirs * 1e6)


def _findings(clubs: Mapping[str, tuple[pl.DataFrame, Policy]]) -> object:
    """As a new process finds them."""
    suites.forget()
    return suites.findings(clubs)


def _cpu(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    start = time.process_time()
    work(*args, **kwargs)
    return time.process_time() - start


def _evaluated(frame: pl.DataFrame) -> dict[str, tuple[pl.DataFrame, Policy]]:
    """The records with their facts, split into clubs of a thousand."""
    policy = Policy(today=datetime.now(UTC).date())
    none = pl.lit([], dtype=model.GROUP_LIST)
    records = frame.with_columns(
        presence=pl.lit(model.SEEN), m_groups=none, m_remembered=none, row_hash=pl.lit(0)
    )
    return {
        f"club-{at}": (facts.evaluate(records.slice(at, PER_CLUB), data.groups(), policy), policy)
        for at in range(0, frame.height, PER_CLUB)
    }


def _ours(email: str) -> bool:
    return bool(emails.evaluate(pl.Series([email]))["email_state"][0] == emails.VALID)


def _theirs(email: str) -> bool:
    """What the library says of what is left without that which nobody typed (R2)."""
    try:
        validate_email(clean(email), check_deliverability=False)
    except EmailNotValidError:
        return False
    return True
