"""Docker's HTTP API: one module a resource. Wire types stop here."""
