"""State on disk: one SQLite file."""
