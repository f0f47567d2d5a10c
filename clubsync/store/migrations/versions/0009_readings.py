"""Whether a reading was used, and what is known of the file it came from."""

from clubsync.store.migrations.files import run_file

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_file("0009_readings.sql")
