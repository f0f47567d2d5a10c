"""The declaration of `rest`: Courtside, read by the example's settings alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Unpack

import pytest
from ruamel.yaml import YAML

from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Connection
from connectors.sdk.model import Consistency
from sandbox.courtside import Place
from sandbox.faults import Fault, Faults
from tests.contract.case import (
    CANARY,
    CLUB,
    KINDS,
    ConnectorCase,
    Erp,
    FaultOptions,
    Kind,
    Someone,
    limits,
)
from tests.support.servers import Recorder

SECRET = "s3cret-of-courtside"
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "rest-courtside.yaml"
BEGAN = 1_790_000_000


def example() -> dict[str, Any]:
    """The settings of the guide's example, as plain types."""
    settings: dict[str, Any] = YAML(typ="safe").load(EXAMPLE.read_text())["settings"]
    return settings


@dataclass
class CourtsideErp(Erp):
    """One club on Courtside."""

    url: str = ""
    faults: Faults = field(default_factory=Faults)
    recorder: Recorder | None = None
    place: Place = field(default_factory=lambda: Place("reader", SECRET))

    secret = SECRET

    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        ids = {key: 100 + i for i, key in enumerate(dict.fromkeys(p.key for p in people))}
        self.place.people = [_person(p, ids) for p in people]
        held = [(ids[p.key], h) for p in people for h in p.groups]
        self.place.passes = [
            {
                "id": i,
                "person": person,
                "plan": h.group,
                "first_day": "2026-01-01",
                "last_day": h.until.isoformat() if h.until else None,
                "paid_by": CANARY,
            }
            for i, (person, h) in enumerate(held, 1)
        ]
        self.place.plans = [
            {"code": k.id, "title": k.name, "sold": k.active, "account": CANARY} for k in kinds
        ]
        assert self.recorder is not None
        self.recorder.forget()
        return {key: str(no) for key, no in ids.items()}

    def set_email(self, erp_id: str, email: str) -> None:
        for person in self.place.people:
            if str(person["no"]) == erp_id:
                person["mail"] = email

    def replace_one(self, erp_id: str, comes: Someone) -> None:
        highest = max(int(p["no"]) for p in self.place.people)
        self.place.people = [p for p in self.place.people if str(p["no"]) != erp_id]
        self.place.people.append(_person(comes, {comes.key: highest + 1}))

    def spoil_email(self, erp_id: str) -> None:
        self.set_email(erp_id, {"value": 5})  # type: ignore[arg-type]  # what no email should be

    def repeat_membership(self) -> None:
        self.place.passes[-1] = self.place.passes[0]

    def connector(self, *, secret: str | None = None, **settings: object) -> RestConnector:
        chosen = {**example(), "http": limits(settings), **settings}
        chosen["customers"]["paging"]["size"] = 3
        return RestConnector(
            Connection("c", self.url, "reader", SECRET if secret is None else secret),
            RestSettings.model_validate(chosen),
            CLUB,
            now=lambda: datetime.now(UTC),
        )

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {k.id: k.id for k in KINDS}

    @property
    def changed_at(self) -> datetime:
        assert self.recorder is not None
        return self.recorder.times[0]

    def fault(self, kind: str, **how: Unpack[FaultOptions]) -> None:
        self.faults.set("club", Fault(kind=kind, **how))


def _person(person: Someone, ids: Mapping[str, int]) -> dict[str, Any]:
    state = {"active": "member"}.get(person.status, person.status)
    return {
        "no": ids[person.key],
        "names": {"given": person.first_name, "family": person.last_name},
        "mail": person.email,
        "mobile": person.phone,
        "state": "merged" if person.replaced_by else state,
        "head_of_family": ids[person.guardian] if person.guardian else None,
        "merged_into": ids[person.replaced_by] if person.replaced_by else None,
        "joined": BEGAN,
        "touched": BEGAN,
        "bank": {"iban": CANARY},
        "note": CANARY,
    }


class RestCase(ConnectorCase):
    """Courtside: keyset paging, memberships in a second list, errors in 200."""

    name = "rest"
    miscounts = True
    joined = True
    walk = Consistency.BY_ID
    against = (
        "Courtside, a made-up ERP (sandbox/courtside.py), read by docs/examples/rest-courtside.yaml"
    )
    not_applicable: ClassVar[Mapping[str, str]] = {"file_missing": "no files."}

    def erp(self, request: pytest.FixtureRequest) -> CourtsideErp:
        erp: CourtsideErp = request.getfixturevalue("courtside_erp")
        erp.faults.clear()
        return erp
