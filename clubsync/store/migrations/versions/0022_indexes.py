"""Indexes of snapshots and stored files."""

from clubsync.store.migrations.files import run_file

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    run_file("0022_indexes.sql")
