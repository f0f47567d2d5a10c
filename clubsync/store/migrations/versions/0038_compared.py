"""Which records are compared, said once."""

from clubsync.store.migrations.files import run_file

revision = "0038"
down_revision = "0034"


def upgrade() -> None:
    run_file("0038_compared.sql")
