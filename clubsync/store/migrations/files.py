"""Run one file of `sql/migrations/` as it stands."""

from __future__ import annotations

from alembic import op

from clubsync.store.database import SQL


def run_file(name: str) -> None:
    """Run the statements of `sql/migrations/<name>` on Alembic's connection, in its transaction."""
    text = (SQL / "migrations" / name).read_text(encoding="utf-8")
    # the driver's own cursor: the file may hold % and : that are no parameters
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(text.encode(), prepare=False)
