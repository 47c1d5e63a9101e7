"""Handlers: one module a resource, each with the table of its routes."""
