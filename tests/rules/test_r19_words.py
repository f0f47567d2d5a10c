"""R19: what an ERP wrote in place of a word may be a person's, where the settings name a wrong column."""

from __future__ import annotations

import pytest

from clubsync.connections import resolve
from clubsync.explain import quoting
from clubsync.explain.why import why
from clubsync.operate.tryout import try_out
from clubsync.store.database import queries
from clubsync.validate import suites
from connectors.sdk.quoted import is_personal, quoted
from tests.support.file_club import FileClub, table

COLUMNS = "id;email;first;last;maiden;status;groups"
FAMILY = ["Quibble", "Zanzibar", "Vermeulen", "Okonkwo"]
ROWS = [
    f"{n};p{n}@x.fr;First{n};Last{n};{name};{'aktiv' if n else 'Gesperrt'};Gold 2025/2026"
    for n, name in enumerate(FAMILY)
]


def _map(files: FileClub, **fields: str) -> None:
    files.files["fields"] = {**files.files["fields"], **fields}  # type: ignore[dict-item]  # settings of any shape


def _told(files: FileClub) -> str:
    """All sentences about the club's open findings, as a viewer reads them."""
    with files.driver() as driver:
        rows = list(
            queries().findings_of_code(driver, club=files.number, code=None, max_rows=50, skip=0)
        )
        details = quoting.all_for_viewers(driver, files.number, rows)
        said = [
            suites.advice(row["code"], row["severity"], detail)
            for row, detail in zip(rows, details, strict=True)
        ]
        said += [
            why(driver, files.number, files.config, str(n), to_viewer=True)["sentence"]
            for n in range(len(FAMILY))
        ]
    return "\n".join(said)


def test_r19_an_unknown_word_of_the_clubs_is_quoted(files: FileClub) -> None:
    files.load(table(*(row.replace("aktiv", "Ruhend") for row in ROWS), columns=COLUMNS))
    told = _told(files)
    assert '"Ruhend"' in told
    assert '"Gesperrt"' in told


@pytest.mark.parametrize(
    ("column", "secrets"),
    [
        ("email", ["p1@x.fr", "p2@x.fr"]),
        ("last", ["Last1", "Last2"]),
        ("maiden", FAMILY),
    ],
)
def test_r19_a_column_mapped_by_mistake_is_not_quoted(
    files: FileClub, column: str, secrets: list[str]
) -> None:
    """Whose status is a person's email or name is told without it; those who see personal data read it."""
    _map(files, status=column)
    step = files.load(table(*ROWS, columns=COLUMNS))
    assert step["findings"] == {"STATUS_UNKNOWN": len(ROWS)}
    told = _told(files)
    assert "which the club's settings do not list" in told
    assert not [secret for secret in secrets if secret in told]
    with files.driver() as driver:
        shown = why(driver, files.number, files.config, "1")
    assert f'"{secrets[1] if column == "maiden" else secrets[0]}"' in shown["sentence"]


def test_r19_dates_and_groups_mapped_by_mistake_are_not_quoted(files: FileClub) -> None:
    _map(files, valid_until="maiden", groups="email")
    files.load(table(*ROWS, columns=COLUMNS))
    files.load(table(*(row.replace("@x.fr;", "@x.fr ;", 1) for row in ROWS), columns=COLUMNS))
    told = _told(files)
    assert "valid_until" in told
    assert not [name for name in FAMILY if name in told]
    assert "p1@x.fr" not in told


def test_r19_a_trial_masks_people_in_place_of_groups(
    files: FileClub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        f"AIRFLOW_CONN_{files.id.upper().replace('-', '_')}",
        f'{{"conn_type": "clubsync_csv", "host": "{files.folder.as_uri()}"}}',
    )
    _map(files, groups="email", status="last")
    files.export(table(*ROWS, columns=COLUMNS))
    tried = try_out(files.config, resolve, first=4, show=False)
    said = repr((tried.records, tried.groups, tried.statuses))
    assert "p1@x.fr" not in said
    assert "Last1" not in said
    assert "p1@x.fr" in repr(try_out(files.config, resolve, first=4, show=True).groups)


@pytest.mark.parametrize(
    ("word", "personal"),
    [
        *(("ann@x.fr", True), ("+33 6 12 34 56 78", True), ("06.12.34.56.78", True)),
        *(("612 345 678", True), ("28/11/2026", True), ("2026-11-28 10:00", True)),
        *(("Gold 2025/2026", False), ("2025/2026", False), ("1234567890", False)),
        *(("550e8400-e29b-41d4-a716-446655440000", False), ("Pass 10 séances", False)),
    ],
)
def test_r19_what_looks_like_a_persons(word: str, personal: bool) -> None:
    assert is_personal(word) is personal
    assert (quoted(word) == word) is not personal
