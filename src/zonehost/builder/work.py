"""What builds work with: the ports, and what is shared by all builds of the daemon."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zonehost.domain.platform import Platform
    from zonehost.ports.build_cache import BuildCache
    from zonehost.ports.build_files import BuildFiles
    from zonehost.ports.clock import Clock
    from zonehost.ports.git import GitRemotes
    from zonehost.ports.layers import Layers
    from zonehost.ports.workshop import Workshop


@dataclass(slots=True, kw_only=True)
class Work:
    """`host` is this machine's platform; `fresh` the default bound in nanoseconds, None for no bound."""

    workshop: Workshop
    files: BuildFiles
    git: GitRemotes
    cache: BuildCache
    layers: Layers
    clock: Clock
    host: Platform
    fresh: int | None = None
    running: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))
    """How many commands run at a time."""
    _folders: dict[str, asyncio.Lock] = field(default_factory=dict)

    def folder_lock(self, name: str) -> asyncio.Lock:
        """The lock of a cache folder that is shared one after the other."""
        return self._folders.setdefault(name, asyncio.Lock())
