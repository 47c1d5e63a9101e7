"""Verbs on registries: pull, push, look, search."""
