"""Verbs on networks."""
