"""`docker version`: what answers here."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost import __version__
from zonehost.engine.host import Host
from zonehost.engine.image.platform import host_platform


@dataclass(frozen=True, slots=True, kw_only=True)
class HostVersion:
    """Versions of zonehost and of what it runs zones with."""

    version: str
    kernel: str
    os: str
    architecture: str
    """As images name it: amd64."""
    runtime: str
    keeper: str


async def version(host: Host) -> HostVersion:
    """The versions."""
    facts = host.machine.facts
    platform = host_platform(host)
    return HostVersion(
        version=__version__,
        kernel=facts.kernel,
        os=platform.os,
        architecture=platform.architecture,
        runtime=facts.runtime_version,
        keeper=facts.keeper_version,
    )
