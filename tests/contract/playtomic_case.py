"""Playtomic's declaration: the sandbox's API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Unpack, cast

import pytest

from connectors.playtomic.connector import PlaytomicConnector, PlaytomicSettings
from connectors.sdk.base import Connection
from sandbox.faults import Fault, Faults
from sandbox.playtomic import Player
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

SECRET = "s3cret-of-playtomic"
BEGAN = datetime(2026, 11, 1, 9)


@dataclass
class PlaytomicErp(Erp):
    """One venue; `players` is what it lists."""

    url: str = ""
    faults: Faults = field(default_factory=Faults)
    recorder: Recorder | None = None
    players: list[Player] = field(default_factory=list)
    kinds: Sequence[Kind] = KINDS

    secret = SECRET

    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        names = {k.id: k.name for k in kinds}
        order = {p.key: i for i, p in reversed(list(enumerate(people)))}
        self.players[:] = [_player(p, order[p.key], names) for p in people if p.status == "active"]
        assert self.recorder is not None
        self.recorder.forget()
        return {p.key: f"u-{p.key}" for p in people}

    def set_email(self, erp_id: str, email: str) -> None:
        for player in self.players:
            if player["player_id"] == erp_id:
                player["email"] = email

    def replace_one(self, erp_id: str, comes: Someone) -> None:
        self.players[:] = [p for p in self.players if p["player_id"] != erp_id]
        self.players.append(_player(comes, len(self.players) + 1, {k.id: k.name for k in KINDS}))

    def spoil_email(self, erp_id: str) -> None:
        self.set_email(erp_id, {"value": 5})  # type: ignore[arg-type]  # what no email should be

    def connector(self, *, secret: str | None = None, **settings: object) -> PlaytomicConnector:
        http = limits(settings)
        return PlaytomicConnector(
            Connection("c", self.url, "client", SECRET if secret is None else secret),
            PlaytomicSettings(**{"venue_id": "venue", "page": 3, "http": http, **settings}),
            CLUB,
            now=lambda: datetime.now(UTC),
        )

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {k.id: k.id for k in self.kinds}

    @property
    def changed_at(self) -> datetime:
        assert self.recorder is not None
        return self.recorder.times[0]

    def fault(self, kind: str, **how: Unpack[FaultOptions]) -> None:
        self.faults.set("venue", Fault(kind=kind, **how))


def _player(person: Someone, i: int, names: Mapping[str, str]) -> Player:
    player = {
        "player_id": f"u-{person.key}",
        "name": " ".join(filter(None, (person.first_name, person.last_name))),
        "email": person.email,
        "phone": person.phone,
        "birth_date": None,
        "gender": "HIDDEN",
        "last_registration_date": (BEGAN + timedelta(minutes=i)).isoformat(),
        "accepts_commercial_communications": False,
        "wallets": [{"wallet_name": CANARY}],
        "benefits": [
            {
                "benefit_id": h.group,
                "name": names[h.group],
                "type": "CATEGORY",
                "expires_at": h.until.isoformat() if h.until else None,
                "note": CANARY,
            }
            for h in person.groups
        ],
    }
    return cast(Player, player)  # with keys that clubsync has to drop


class PlaytomicCase(ConnectorCase):
    """The API; the Manager's file is tested in tests/connectors/test_playtomic.py."""

    name = "playtomic"
    inferred: ClassVar[Mapping[str, str]] = {
        "many_pages": "`next_cursor_id` is at the top of the response.",
        "full_last_page": "the last page names no next cursor.",
        "group_until": "the keys of a benefit; settable.",
        "group_list": "the keys of a benefit; settable.",
    }
    not_applicable: ClassVar[Mapping[str, str]] = {
        "rows_missing": "Playtomic states no total, and the end is a missing cursor: a list that ends early "
        "looks complete. The share of known ids (R14) and the guard (R15) cover that.",
        "archived": "former players are not listed, and nobody has a status.",
        "unknown_status": "nobody has a status.",
        "inactive_group": "benefits have an end, but no status.",
        "unknown_group": "there is no list of benefits: it is derived from what players hold.",
        "merge_stated": "players are not merged; a deleted one is no longer listed.",
        "guardian": "the API has no families.",
        "file_missing": "no files.",
        **dict.fromkeys(
            ("killed_and_resumed", "killed_and_not_resumable"),
            "the lifetime of a cursor is not documented, and without a total an early end would go unnoticed: an "
            "interrupted reading starts again.",
        ),
    }

    def erp(self, request: pytest.FixtureRequest) -> PlaytomicErp:
        erp: PlaytomicErp = request.getfixturevalue("playtomic_erp")
        erp.faults.clear()
        return erp
