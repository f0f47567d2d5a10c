"""Records whose customer moved to another record."""

from clubsync.store.migrations.files import run_file

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    run_file("0029_moved_records.sql")
