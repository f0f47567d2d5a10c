"""No statistics of the club column of tables with a row for each person."""

from clubsync.store.migrations.files import run_file

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    run_file("0040_statistics.sql")
