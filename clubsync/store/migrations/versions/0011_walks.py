"""What a walk leaves suspected until a second reading says the same."""

from clubsync.store.migrations.files import run_file

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_file("0011_walks.sql")
