"""Days and moments that no clock can show are repaired, and kept out."""

from clubsync.store.migrations.files import run_file

revision = "0018"
down_revision = "0014"


def upgrade() -> None:
    run_file("0018_moments.sql")
