"""`zonehost doctor`: what the state says against what there is."""

from __future__ import annotations

from collections.abc import Iterator

from zonehost.domain.container import Container
from zonehost.domain.network import Network
from zonehost.domain.phase import Phase
from zonehost.engine.container.endpoints import plugs_of
from zonehost.engine.host import Host
from zonehost.engine.image.sweep import layers_in_use
from zonehost.ports.audit import Expected, Finding, Trouble
from zonehost.ports.network import ZonePlugs


async def examine(host: Host) -> tuple[Finding, ...]:
    """Every difference. Containers that are being made or changed at this moment, which are locked, are passed over."""
    busy = frozenset(zone.id for zone in host.containers if zone.lock.locked())
    running = [record for record in host.containers.records() if record.state.running and record.id not in busy]
    expected = {record.id: _expected(record) for record in running}
    return (
        *_unfinished(host, busy),
        *await host.zone_audit.examine(expected, busy),
        *await host.network_audit.examine(whole_networks(host), running_plugs(host, busy)),
        *await _datasets(host, busy),
        *await _layers(host),
    )


def whole_networks(host: Host) -> list[Network]:
    """The networks that are there, for all that clients know."""
    return [network for network in host.networks if network.phase is Phase.WHOLE]


def running_plugs(host: Host, busy: frozenset[str] = frozenset()) -> list[ZonePlugs]:
    """What the firewall must know, of all running containers; of busy ones too where they have links by now."""
    records = (record for record in host.containers.records() if record.state.running or record.id in busy)
    return [plugs for record in records if (plugs := plugs_of(host, record)).plugs]


def _expected(record: Container) -> Expected:
    return Expected(pid=record.state.pid, keeper=record.state.keeper, shares_pids=bool(record.host_config.pid_mode))


def _unfinished(host: Host, busy: frozenset[str]) -> Iterator[Finding]:
    for record in host.containers.records():
        if record.id not in busy and (record.phase is not Phase.WHOLE or record.state.starting):
            doing = "starting" if record.phase is Phase.WHOLE else record.phase.value
            yield Finding(trouble=Trouble.UNFINISHED, kind="container", name=record.name, zone=record.id, detail=doing)
        if record.state.blocked:
            yield Finding(
                trouble=Trouble.UNFINISHED,
                kind="blocked",
                name=record.name,
                zone=record.id,
                detail=record.state.blocked,
            )


async def _datasets(host: Host, busy: frozenset[str]) -> list[Finding]:
    zones, volumes = await host.storage.survey()
    known = {record.id for record in host.containers.records()}
    whole = {record.id for record in host.containers.records() if record.phase is Phase.WHOLE}
    named = {volume.name for volume in host.volumes}
    kept = {volume.name for volume in host.volumes if volume.phase is Phase.WHOLE}
    found = [Finding(trouble=Trouble.ORPHAN, kind="dataset", name=zone, zone=zone) for zone in sorted(zones - known)]
    found += [
        Finding(trouble=Trouble.LOSS, kind="dataset", name=zone, zone=zone) for zone in sorted(whole - zones - busy)
    ]
    found += [Finding(trouble=Trouble.ORPHAN, kind="volume", name=name) for name in sorted(volumes - named)]
    return found + [Finding(trouble=Trouble.LOSS, kind="volume", name=name) for name in sorted(kept - volumes)]


async def _layers(host: Host) -> list[Finding]:
    there = await host.layers.listed()
    needed = layers_in_use(host)
    found = [Finding(trouble=Trouble.LOSS, kind="layer", name=layer) for layer in sorted(needed - there)]
    async with host.images.sweeping() as quiet:
        if quiet:
            found += [Finding(trouble=Trouble.ORPHAN, kind="layer", name=layer) for layer in sorted(there - needed)]
    return found
