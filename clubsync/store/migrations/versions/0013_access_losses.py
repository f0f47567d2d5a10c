"""Access losses of every kind, and whose an ERP id is."""

from clubsync.store.migrations.files import run_file

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_file("0013_access_losses.sql")
