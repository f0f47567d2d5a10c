"""Approval requests that follow their hold; reminders."""

from clubsync.store.migrations.files import run_file

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    run_file("0031_requests.sql")
