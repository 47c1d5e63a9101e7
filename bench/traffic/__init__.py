"""Programs that the network rows run in the namespaces of containers and hosts; each prints figures on one line."""
