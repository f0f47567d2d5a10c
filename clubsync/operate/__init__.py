"""Keep it running: freshness, nudges, telemetry, retention, and checks of connections and settings."""
