"""The `zonehost` command."""
