"""State on disk: one SQLite file that holds every record of an instance."""
