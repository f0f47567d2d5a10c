"""Where the time of runs went."""

from clubsync.store.migrations.files import run_file

revision = "0037"
down_revision = "0033"


def upgrade() -> None:
    run_file("0037_profiles.sql")
