"""The networking driver: the port's verbs over wiring, firewall and reservations. Holds what each zone has now."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import msgspec

from zonehost.domain.host_config import PortBinding
from zonehost.domain.ipam import DEFAULT_BASES, Base, Subnet, overlap, with_gateway
from zonehost.domain.network import Endpoint, Network, Pool, PublishedPort
from zonehost.drivers.network import firewall, flows, forwarding, plan, publishing, rules
from zonehost.drivers.network.answering import Answering
from zonehost.drivers.network.attached import Attached
from zonehost.drivers.network.bridges import Bridges
from zonehost.drivers.network.link_watch import LinkWatch
from zonehost.drivers.network.names import Names
from zonehost.drivers.network.options import bridge_options, default_bridge_options, macvlan_options
from zonehost.drivers.network.parents import Parents
from zonehost.drivers.network.removal import LinkRemoval
from zonehost.drivers.network.reservations import Reservations
from zonehost.drivers.network.resolving import Resolver
from zonehost.drivers.network.subnets import Subnets
from zonehost.drivers.network.tables import Tables
from zonehost.drivers.network.threads import in_thread
from zonehost.drivers.network.wiring import Wiring
from zonehost.errors import Conflict, NotFound, Unsupported, ZonehostError
from zonehost.linux.netlink_sets import Change
from zonehost.ports.network import Plug, ZonePlugs

_log = logging.getLogger(__name__)
_THREADS = 4
_RESOLVER_THREADS = 2
"""Of their own, so that a resolver that hangs delays nobody who asks nothing of it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the daemon's configuration says of networks. `publish` is the default host address, empty for all.

    `guard`: keep connections through a flush of the rules; None is where the host's nft can list what that takes.
    """

    bases: tuple[Base, ...] = DEFAULT_BASES
    bases6: tuple[Base, ...] = ()
    publish: str = ""
    metadata: bool = False
    guard: bool | None = None


class KernelNetworking:
    """`ports.network.Networking` on Linux bridges, macvlans and nftables."""

    def __init__(self, instance: str, run_root: Path, settings: Settings = Settings()) -> None:
        self._names = Names(instance)
        self._settings = settings
        self._zones = Attached(self._names)
        self._leaving: dict[str, ZonePlugs] = {}
        self._restored = False
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rtnetlink")
        self._wiring = Wiring(self._names)
        self._removal = LinkRemoval(self._threads, self._names.link_group)
        self._bridges = Bridges(self._threads, self._names, self._wiring, self._removal)
        self._parents = Parents(self._threads, self._names, self._wiring, self._removal)
        self._subnets = Subnets()
        self._reservations = Reservations()
        self._resolving = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolver")
        self._answering = Answering(Resolver(run_root / "resolver.sock"), self._resolving)
        self._tables = Tables(self._names.table, rules.RULES, self._ruleset, guard=settings.guard)
        self._watch = LinkWatch(lambda: self._bridges.known, self._mend_bridges, self._links_gone)
        self._lost: asyncio.Queue[str] = asyncio.Queue()

    @property
    def attached(self) -> frozenset[str]:
        """The zones that are attached now."""
        return self._zones.zones

    async def choose_pools(
        self, existing: Iterable[Network], *, ipv4: bool = True, ipv6: bool = False
    ) -> tuple[Pool, ...]:
        """Subnets that neither this host nor a network has."""
        chosen = []
        if ipv4:
            chosen.append(await self._free_subnet(self._settings.bases, existing))
        if ipv6:
            own = plan.own_base6(self._names, forwarding.machine_id())
            chosen.append(await self._free_subnet(self._settings.bases6 or (own,), existing))
        return tuple(with_gateway(Pool(subnet=str(subnet))) for subnet in chosen)

    def release_pools(self, pools: Iterable[Pool]) -> None:
        """The claims end."""
        self._subnets.release(ip_network(pool.subnet) for pool in pools)

    async def _free_subnet(self, bases: Sequence[Base], existing: Iterable[Network]) -> Subnet:
        """One that is claimed first and looked at then: whoever gave up a claim on it has made a network by then."""
        busy = plan.subnets(*existing)
        while True:
            claimed = self._subnets.choose(bases, busy)
            busy = await in_thread(self._threads, self._wiring.busy_subnets)
            busy += plan.subnets(*existing)
            if not any(overlap(claimed, other) for other in busy):
                return claimed
            self._subnets.release([claimed])

    async def is_contested(self, network: Network) -> bool:
        """Whether another link's subnets overlap."""
        others = await in_thread(self._threads, self._wiring.busy_subnets, plan.bridge_name(self._names, network))
        return any(overlap(ours, other) for ours in plan.subnets(network) for other in others)

    def check(self, network: Network) -> None:
        """Whether the driver and the options are known."""
        if network.driver == "bridge":
            bridge_options(network)
        elif network.driver == "macvlan":
            macvlan_options(network)
        elif network.driver in ("ipvlan", "overlay"):
            raise Unsupported(f"network driver {network.driver} is not supported: only bridge, macvlan, host and none")
        elif network.driver not in ("host", "null"):
            raise NotFound(f'plugin "{network.driver}" not found')

    def options_of(self, network: Network) -> Mapping[str, str]:
        """What was given, or all of the default bridge."""
        if network.driver != "bridge" or not network.predefined:
            return network.options
        return default_bridge_options(plan.bridge_name(self._names, network), self._settings.publish)

    async def create(self, network: Network) -> None:
        """Make the bridge and its rules."""
        self.check(network)
        if network.driver == "macvlan":
            with self._zones.coming([plan.parent_link(self._names, network).name]):
                await self._parents.add(network)
        if network.driver != "bridge":
            return
        with self._zones.coming([plan.bridge_name(self._names, network)]):
            await self._bridges.add(network)
        self._subnets.release(plan.subnets(network))
        try:
            await self._tables.change(self._wall_changes(network, add=True))
        except BaseException:
            self._bridges.forget(network)
            raise
        if not network.predefined:
            await self._answering.prepare()

    async def remove(self, network: Network) -> None:
        """Take the bridge and its rules away, or the link under a macvlan that nobody else needs."""
        if network.driver == "macvlan":
            await self._parents.remove([network])
        if network.driver != "bridge":
            return
        if self._bridges.forget(network):
            await self._tables.change(self._wall_changes(network, add=False))
        await self._bridges.remove([network])

    async def reserve(
        self, zone: str, name: str, asked: Mapping[str, Sequence[PortBinding]], plugs: Sequence[Plug]
    ) -> tuple[PublishedPort, ...]:
        """Bind host ports."""
        wanted = publishing.wanted_ports(asked, plugs, self._settings.publish)
        if not wanted:
            return ()
        try:
            return await in_thread(self._threads, self._reservations.reserve, zone, wanted)
        except Conflict as error:
            raise Conflict(
                f"driver failed programming external connectivity on endpoint {name} ({zone}): {error}"
            ) from error

    async def attach(self, netns: int, plugs: ZonePlugs) -> tuple[Endpoint, ...]:
        """Links, addresses and routes inside; then the rules."""
        wires = plan.wires(self._names, plugs)
        with self._zones.coming(self._zones.ends(plugs)):
            names = await in_thread(self._threads, self._wiring.plug, netns, list(wires.values()))
            try:
                await _all(self._became(plugs), self._answer(plugs, netns))
            except BaseException:
                await asyncio.shield(self.detach(plugs.zone))
                raise
        named = dict(zip(wires, names, strict=True))
        return tuple(_named(plug.endpoint, named.get(plug.endpoint.id, "")) for plug in plugs.plugs)

    async def connect(self, pid: int, plugs: ZonePlugs, new: Plug) -> Endpoint:
        """One more link."""
        wire = plan.wires(self._names, plugs).get(new.endpoint.id)
        if wire is None:
            return new.endpoint
        with _namespace(pid) as netns, self._zones.coming([wire.host_name]):
            [name] = await in_thread(self._threads, self._wiring.plug, netns, [wire])
            try:
                await _all(self._became(plugs), self._answer(plugs, netns))
            except BaseException:
                await in_thread(self._threads, self._wiring.unplug, netns, [name], [])
                raise
        return _named(new.endpoint, name)

    async def disconnect(self, pid: int, plugs: ZonePlugs, old: Plug) -> None:
        """One link less."""
        left = list(plan.wires(self._names, plugs).values())
        inside = [old.endpoint.interface] if old.network.driver == "macvlan" else []
        if old.network.driver in plan.LINKED:
            with _namespace(pid) as netns:
                if not inside:
                    await self._removal.remove([self._names.veth(old.endpoint.id)])
                await in_thread(self._threads, self._wiring.unplug, netns, inside, left)
        await _all(self._became(plugs), self._answering.put(plan.view(plugs)))

    async def rename(self, plugs: ZonePlugs) -> None:
        """Another view for the resolver."""
        if plugs.zone in self._zones.zones:
            self._zones.put(plugs)
            await self._answering.put(plan.view(plugs))

    async def detach(self, zone: str) -> None:
        """Rules, links, names and ports of a zone; what a failure left is taken away the next time."""
        had = self._zones.pop(zone) or self._leaving.get(zone)
        if had is not None:
            self._leaving[zone] = had
            gone = firewall.changes(self._names.table, publishing.elements(self._names, [had]), add=False)
            await _all(
                self._removal.remove(self._zones.ends(had)), self._tables.change(gone), self._answering.drop(zone)
            )
            await self._forget_flows(had)
            del self._leaving[zone]
        self._reservations.release(zone)

    async def restore(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> dict[str, tuple[Endpoint, ...]]:
        """Bridges, rules, held ports and views as the records say; links that no record knows go."""
        self._restored = True
        self._watch.begin()
        await self._bridges.restore(network for network in networks if network.driver == "bridge")
        await self._parents.restore(network for network in networks if network.driver == "macvlan")
        self._zones = Attached(self._names)
        for zone in zones:
            self._zones.put(zone)
        await self._bridges.rejoin(self._zones)
        for zone in zones:
            for lost in await in_thread(self._threads, self._reservations.restore, zone.zone, zone.ports):
                _log.warning("container %s keeps its published port, but %s", zone.zone[:12], lost)
        await self._tables.replace()
        await self._sweep({name for zone in zones for name in self._ends_made(zone)})
        await self._answering.restore((plan.view(zone), zone.pid) for zone in zones if plan.has_names(zone))
        return await self._replug(zones)

    async def repair(self) -> None:
        """What `restore` made, of what there is now."""
        await self._mend_bridges()
        await self._parents.restore(self._parents.networks)
        await self._tables.replace()
        await self._sweep()

    async def mend(self, pid: int, plugs: ZonePlugs) -> tuple[Endpoint, ...]:
        """The links that are not there."""
        there = {link.name for link in await in_thread(self._threads, self._wiring.ours)}
        return tuple([await self.connect(pid, plugs, plug) for plug in self._missing(plugs, there)])

    async def losses(self) -> AsyncIterator[str]:
        """As the kernel tells of links."""
        while True:
            yield await self._lost.get()

    def _links_gone(self, links: Collection[str] | None) -> None:
        for zone in self._zones.owners(links):
            self._lost.put_nowait(zone)

    async def _mend_bridges(self) -> None:
        """The bridges that are missing, and the running zones in them."""
        await self._bridges.ensure()
        await self._bridges.rejoin(self._zones)

    async def _sweep(self, made: Collection[str] | None = None) -> None:
        """Links of ours that nobody knows; with `made` only those count that were made to the end before a crash."""
        links = await in_thread(self._threads, self._wiring.ours)
        known = self._bridges.known | self._parents.known | set(self._zones.links if made is None else made)
        await self._removal.remove(link.name for link in links if link.name not in known)

    async def _replug(self, zones: Sequence[ZonePlugs]) -> dict[str, tuple[Endpoint, ...]]:
        """Links that records have and running zones have not, made anew; their endpoints, by zone."""
        there = {link.name for link in await in_thread(self._threads, self._wiring.ours)}
        made: dict[str, tuple[Endpoint, ...]] = {}
        for zone in zones:
            for plug in self._missing(zone, there):
                try:
                    endpoint = await self.connect(zone.pid, zone, plug)
                except ZonehostError as error:
                    _log.error("container %s has no link to %s: %s", zone.zone[:12], plug.network.name, error)
                else:
                    made[zone.zone] = (*made.get(zone.zone, ()), endpoint)
        return made

    def _missing(self, zone: ZonePlugs, there: Collection[str]) -> list[Plug]:
        plugs = (plug for plug in zone.plugs if plug.network.driver == "bridge")
        return [plug for plug in plugs if self._names.veth(plug.endpoint.id) not in there]

    async def close(self) -> None:
        """Leave nothing if nobody needs it. Who never took over what is there leaves all of it."""
        alone = self._restored and not self._zones
        await self._watch.close()
        await self._answering.close(end=alone)
        if alone:
            await self._bridges.remove(self._bridges.networks)
            await self._parents.close()
        await self._tables.close(firewall.removal(self._names.table) if alone else "")
        self._reservations.close()
        self._subnets.close()
        await self._removal.idle()
        self._resolving.shutdown(wait=False)
        self._threads.shutdown(wait=False)

    async def _answer(self, plugs: ZonePlugs, netns: int) -> None:
        """Names for a zone that is in a network that knows names."""
        if plan.has_names(plugs):
            await self._answering.put(plan.view(plugs), netns)

    async def _became(self, plugs: ZonePlugs) -> None:
        """The rules of a zone whose links have changed."""
        before = self._zones.put(plugs)
        old = publishing.elements(self._names, [before] if before else [])
        new = publishing.elements(self._names, [plugs])
        table = self._names.table
        gone = firewall.changes(table, firewall.without(old, new), add=False)
        await self._tables.change(gone + firewall.changes(table, firewall.without(new, old), add=True))
        await self._forget_flows(plugs)

    def _wall_changes(self, network: Network, *, add: bool) -> list[Change]:
        wall = firewall.bridge_elements([plan.wall(self._names, network)], metadata=True)
        return firewall.changes(self._names.table, wall, add=add)

    async def _forget_flows(self, plugs: ZonePlugs) -> None:
        """Datagrams go where the rules say now."""
        ports = flows.datagrams(publishing.published(plugs))
        if ports:
            await in_thread(self._threads, flows.forget, ports)

    def _ends_made(self, zone: ZonePlugs) -> list[str]:
        """The host's ends of those of a zone's links that were made to the end: they have a name inside."""
        return [
            self._names.veth(plug.endpoint.id)
            for plug in zone.plugs
            if plug.network.driver == "bridge" and plug.endpoint.interface
        ]

    def _ruleset(self) -> str:
        walls = [plan.wall(self._names, network) for network in self._bridges.networks]
        return firewall.ruleset(
            self._names.table,
            self._names.veth_prefix,
            firewall.merged(
                firewall.bridge_elements(walls, metadata=self._settings.metadata),
                publishing.elements(self._names, self._zones),
            ),
        )


async def _all(*works: Awaitable[None]) -> None:
    """Wait for all, and only then raise the first error: what follows an error meets nothing that still goes on."""
    for result in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _named(endpoint: Endpoint, interface: str) -> Endpoint:
    return msgspec.structs.replace(endpoint, interface=interface)


@contextmanager
def _namespace(pid: int) -> Iterator[int]:
    """The network namespace of a process, as a descriptor."""
    try:
        netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        raise Conflict("the container is not running") from None
    try:
        yield netns
    finally:
        os.close(netns)
