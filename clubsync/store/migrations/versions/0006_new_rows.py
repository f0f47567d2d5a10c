"""New rows are copied straight into the large tables."""

from clubsync.store.migrations.files import run_file

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_file("0006_new_rows.sql")
