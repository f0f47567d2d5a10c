"""The club base and the machinery that keeps it in step."""

from clubsync.store.migrations.files import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_file("0001_club_base.sql")
