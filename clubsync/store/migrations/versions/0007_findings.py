"""Findings without a foreign key to base.club."""

from clubsync.store.migrations.files import run_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_file("0007_findings.sql")
