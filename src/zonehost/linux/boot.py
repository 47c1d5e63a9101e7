"""Which run of the machine this is: what was written in it and not yet synced is lost with it (random(4), boot_id)."""

from __future__ import annotations

from pathlib import Path


def boot_id() -> str:
    """The kernel's identifier of this run."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
