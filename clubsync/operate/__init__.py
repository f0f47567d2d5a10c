"""Keep it running: freshness, nudges, telemetry, retention, connection tests, trying settings."""
