"""Verbs on volumes."""
