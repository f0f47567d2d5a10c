"""R14: compare the end of a file with that of the club's last certified one.

A file that is truncated at the end of a line looks whole. What gives it away: it ends otherwise than the last one
did, or the people who were at its end are all missing. `FILE.rows` beside a file proves its end, so that people may
leave from there at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from connectors.sdk.messages import message
from connectors.sdk.model import TAIL, Reading

#: That many customers, missing from the end of a file and from nowhere else, may mean that it is truncated.
FEWEST = 3


def compared(
    reading: Reading,
    before: Mapping[str, Any] | None,
    *,
    club: str,
    customers: int,
    limit: Callable[[], int],
    confirmed: bool,
) -> Reading:
    """The reading with what its file's end says of it.

    A file that ends otherwise than the last one is doubted: the value of its last cell may be a part, so that its
    last customer is left out. One that lacks the last customers of the last one, and proves nothing by a count or a
    footer, is not settled.

    :param before: `connectors.sdk.model.File` of the last certified snapshot, as JSON; None: not from a file.
    :param club: its id in clubs.yaml.
    :param customers: in the last certified snapshot.
    :param limit: access losses that pass the guard: more of them await a person in any case (R15).
    :param confirmed: a person has confirmed the source: its end is right.
    """
    file = reading.file
    if file is None or before is None or confirmed:
        return reading
    doubts: list[str] = []
    if before["line_end"] and file.line_end is False:
        doubts.append(
            message(
                f"{file.name} ends inside a row, without a line end, which the last complete file had: it may be "
                f"truncated. If it is whole, run `clubsync clubs confirm-source {club}`."
            )
        )
        reading = replace(reading, customers=_without_last(reading))
    if before["footer"] and not file.footer:
        doubts.append(
            message(
                f"{file.name} lacks the line below the table that the last complete file had: it may be truncated. "
                f"If it is whole, run `clubsync clubs confirm-source {club}`."
            )
        )
    certificate = reading.certificate
    return replace(
        reading,
        certificate=replace(
            certificate,
            complete=certificate.complete and not doubts,
            doubts=(*certificate.doubts, *doubts),
            settled=certificate.settled
            and not _may_be_truncated(reading, before, customers, limit),
        ),
    )


def _without_last(reading: Reading) -> Any:
    customers = reading.customers
    if customers.is_empty() or customers["erp_id"][-1] is None:
        return customers.head(max(customers.height - 1, 0))
    return customers.filter(customers["erp_id"] != customers["erp_id"][-1])


def _may_be_truncated(
    reading: Reading, before: Mapping[str, Any], customers: int, limit: Callable[[], int]
) -> bool:
    """Whether those missing are the customers who were at the end of the last certified file.

    People leave from anywhere; that several leave who stood together at its end is what a truncated file looks
    like.
    """
    file = reading.file
    assert file is not None
    missing = customers - reading.customers.height
    if file.counted or file.footer or missing < FEWEST or missing > limit():
        return False
    last = set(before["last"][-missing:])
    there = reading.customers["erp_id"].is_in(list(last)).any()
    return bool(last) and not there and last.isdisjoint(reading.conflicting_ids)


def last_of(reading: Reading) -> tuple[str, ...]:
    """The ids of the last customers of a file, in its own order."""
    return tuple(reading.customers["erp_id"].drop_nulls().tail(TAIL))
