"""Access losses of every kind, and whose an ERP id is."""

from clubsync.store.migrations.files import run_file

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_file("0012_access_losses.sql")
