"""The parts that build images, put together."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from zonehost.builder.service import ImageBuilder
from zonehost.builder.work import Work
from zonehost.drivers.buildcache.folder import CacheFolder
from zonehost.drivers.builds.folder import BuildFolder
from zonehost.drivers.connections import KernelConnections
from zonehost.drivers.git.remotes import GitCommand
from zonehost.engine.build.workshop import EngineWorkshop
from zonehost.engine.host import Host
from zonehost.engine.image.platform import host_platform
from zonehost.linux.forkserver import ForkServer
from zonehost.web import WebClient


def add_builder(host: Host, forks: ForkServer, root: Path, memory: Path, fresh: int | None, web: WebClient) -> None:
    """Let a host build images, with files below `root`, and what is secret below `memory`, a tmpfs.

    `fresh` bounds the age of cached steps, in nanoseconds.
    """
    files = BuildFolder(os.fspath(root / "builds"), os.fspath(memory / "builds"), forks, web)
    host.build_cache = CacheFolder(os.fspath(root / "build-cache"))
    work = Work(
        workshop=EngineWorkshop(host, files, KernelConnections()),
        files=files,
        git=GitCommand(forks),
        cache=host.build_cache,
        layers=host.layers,
        clock=host.clock,
        host=host_platform(host),
        fresh=fresh,
        running=asyncio.Semaphore(max(2 * host.machine.facts.cpus, 4)),
    )
    host.builder = ImageBuilder(work)
