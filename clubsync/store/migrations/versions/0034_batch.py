"""A role that reads a batch of clubs at once."""

from clubsync.store.migrations.files import run_file

revision = "0034"
down_revision = "0036"


def upgrade() -> None:
    run_file("0034_batch.sql")
