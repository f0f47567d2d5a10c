"""A login of the engine's own, and an audit that is only added to."""

from clubsync.store.migrations.files import run_file

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_file("0021_logins.sql")
