"""Fakes of the engine's ports, in memory, and a host that stands on them."""
