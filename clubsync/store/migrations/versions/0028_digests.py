"""Digests for clubs."""

from clubsync.store.migrations.files import run_file

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    run_file("0028_digests.sql")
