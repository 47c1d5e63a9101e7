"""Verbs on the host as a whole."""
