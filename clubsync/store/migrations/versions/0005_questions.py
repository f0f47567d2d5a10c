"""Which holds are before a person in Airflow."""

from clubsync.store.migrations.files import run_file

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_file("0005_questions.sql")
