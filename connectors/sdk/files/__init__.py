"""Exports in a folder: `folder` (local, SFTP, S3), `tabular` (CSV and Excel), `drop` (what such connectors share)."""
