"""Alembic environment: always on the connection that `clubsync.store.database.upgrade` hands in."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="clubsync_version",
    version_table_schema="public",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
