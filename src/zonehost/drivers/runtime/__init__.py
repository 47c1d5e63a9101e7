"""Zones on Linux: the launcher's births, conmon as their keeper, crun inside."""
