"""Fields of a record that cannot be read."""

from clubsync.store.migrations.files import run_file

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_file("0010_unreadable.sql")
