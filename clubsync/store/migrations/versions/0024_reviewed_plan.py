"""The plan of a first sync that was approved."""

from clubsync.store.migrations.files import run_file

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    run_file("0024_reviewed_plan.sql")
