"""Read a club's customers and groups from its ERP, and reject snapshots that are implausible."""
