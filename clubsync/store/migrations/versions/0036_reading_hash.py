"""Readings are compared with the last one."""

from clubsync.store.migrations.files import run_file

revision = "0036"
down_revision = "0037"


def upgrade() -> None:
    run_file("0036_reading_hash.sql")
