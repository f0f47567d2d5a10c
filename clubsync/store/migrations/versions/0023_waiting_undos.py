"""Undos that wait for an email."""

from clubsync.store.migrations.files import run_file

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    run_file("0023_waiting_undos.sql")
