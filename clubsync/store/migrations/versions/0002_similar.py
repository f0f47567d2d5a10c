"""Similar records."""

from clubsync.store.migrations.files import run_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_file("0002_similar.sql")
