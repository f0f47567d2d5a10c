"""The change feed."""

from clubsync.store.migrations.files import run_file

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    run_file("0026_feed.sql")
