"""Erasures as stored orders; a row for everything in the store."""

from clubsync.store.migrations.files import run_file

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_file("0019_erasures.sql")
