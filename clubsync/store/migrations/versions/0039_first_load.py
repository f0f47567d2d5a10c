"""A first load makes the primary key of base.customer after its rows."""

from clubsync.store.migrations.files import run_file

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    run_file("0039_first_load.sql")
