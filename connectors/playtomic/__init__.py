"""Playtomic: the third-party API, or the Manager's CSV."""
