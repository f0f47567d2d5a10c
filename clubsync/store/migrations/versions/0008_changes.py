"""What a change was and became, as text."""

from clubsync.store.migrations.files import run_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_file("0008_changes.sql")
