"""The running daemon: configuration, start-up, recovery. The only place that names concrete drivers."""
