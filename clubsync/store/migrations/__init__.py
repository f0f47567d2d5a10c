"""Alembic's side of the migrations; what they do is in `sql/migrations/`, one file each."""
