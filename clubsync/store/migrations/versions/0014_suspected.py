"""How many access losses of a run await a second reading."""

from clubsync.store.migrations.files import run_file

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_file("0014_suspected.sql")
