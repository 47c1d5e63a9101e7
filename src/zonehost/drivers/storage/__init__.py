"""Drivers of the storage port: one module or folder a kind of pool."""
