"""What a host holds in memory: registries of records, and what is alive beside them."""
