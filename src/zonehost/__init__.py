"""zonehost: a Docker host whose containers are zones."""

__version__ = "0.1.0"
