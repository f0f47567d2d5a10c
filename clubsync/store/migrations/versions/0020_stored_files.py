"""Digests of stored files, and who runs a run."""

from clubsync.store.migrations.files import run_file

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_file("0020_stored_files.sql")
