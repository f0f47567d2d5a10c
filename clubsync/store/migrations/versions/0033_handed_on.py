"""What tasks hand on, outside of Airflow's database."""

from clubsync.store.migrations.files import run_file

revision = "0033"
down_revision = "0031"


def upgrade() -> None:
    run_file("0033_handed_on.sql")
