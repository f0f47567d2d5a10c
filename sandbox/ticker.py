"""Keeps the exports of the demo's clubs up to date, every few seconds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sandbox import exports, file_faults, files
from sandbox.demo import CLUBS, DemoClub
from sandbox.faults import Faults
from sandbox.world import ClubState

log = logging.getLogger(__name__)

#: Kind of fault -> what it does to the customers file.
FILE_FAULTS: dict[str, Callable[[Path], None]] = {
    "html": file_faults.html,
    "truncated": file_faults.cut,
    "half": file_faults.cut_between_rows,
    "empty": file_faults.no_rows,
    "missing": file_faults.missing,
    "wrong-columns": file_faults.wrong_columns,
}

#: The customers file of each ERP.
CUSTOMERS = {"csv": "customers.csv", "eversports": "customers.csv", "planity": "clients.csv"}


class Exporter:
    """Writes the exports of the clubs whose ERP exports files; what killed ones have left behind is deleted."""

    def __init__(self, drop: Path, state: Callable[[str], ClubState], faults: Faults) -> None:
        files.sweep(drop)
        self._drop = drop
        self._state = state
        self._faults = faults
        self._faulty: dict[str, str] = {}
        self.clubs = [c for c in CLUBS if c.erp in CUSTOMERS]

    def tick(self) -> int:
        """Bring every export up to date; returns how many files were written.

        A club whose export fails is tried again at the next tick, and the others do not wait for it.
        """
        written = 0
        for club in self.clubs:
            try:
                written += self._export(club)
            except Exception:
                log.exception("The export of %s failed; retrying at the next tick", club.id)
        return written

    def _export(self, club: DemoClub) -> int:
        folder = self._drop / club.id
        fault = self._faults.all().get(club.id)
        kind = fault.kind if fault else None
        if kind is not None and self._faulty.get(club.id) == kind:
            return 0  # a faulty export stays as it is until the fault is cleared
        written = len(_write(club, self._state(club.id), folder))
        self._faulty.pop(club.id, None)
        if kind in FILE_FAULTS:
            FILE_FAULTS[kind](folder / _customers(club))
            self._faulty[club.id] = kind
        return written


def _customers(club: DemoClub) -> str:
    return "customers.xlsx" if _excel(club) else CUSTOMERS[club.erp]


def _excel(club: DemoClub) -> bool:
    return str(club.options.get("settings", {}).get("customers", "")).endswith(".xlsx")


def _write(club: DemoClub, state: ClubState, folder: Path) -> list[Path]:
    match club.erp:
        case "csv":
            return exports.write_csv(state, folder)
        case "eversports":
            return exports.write_eversports(state, folder, excel=_excel(club))
        case "planity":
            return exports.write_planity(state, folder)
        case _:
            return []
