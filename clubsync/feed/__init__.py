"""The change feed: the audit as whoever keeps something downstream reads it (R30)."""
