"""Failures of the last hour."""

from clubsync.store.migrations.files import run_file

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    run_file("0030_failed_runs.sql")
