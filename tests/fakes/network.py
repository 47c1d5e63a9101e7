"""Networks without a kernel, and registries without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count

import msgspec

from zonehost.domain.host_config import PortBinding
from zonehost.domain.network import Endpoint, Network, Pool, PublishedPort
from zonehost.domain.platform import Platform
from zonehost.errors import Conflict, NotFound, Unauthorized, Unavailable, Unsupported
from zonehost.ports.downloads import Download
from zonehost.ports.network import Plug, ZonePlugs
from zonehost.ports.registry import (
    Descriptor,
    Distribution,
    Login,
    RemoteImage,
    Repository,
    SearchResult,
    SentLayer,
)


class MemoryNetworking:
    """Remembers what it was asked for. Ephemeral ports are given out from 40000."""

    def __init__(self) -> None:
        self.networks: dict[str, Network] = {}
        self.zones: dict[str, ZonePlugs] = {}
        self.contested: set[str] = set()
        self.lost: asyncio.Queue[str] = asyncio.Queue()
        self.cut: set[str] = set()
        """Endpoints whose links somebody deleted."""
        self._held: dict[str, tuple[PublishedPort, ...]] = {}
        self._chosen: dict[int, tuple[Pool, ...]] = {}
        self._port = 40000

    def check(self, network: Network) -> None:
        if network.driver != "bridge":
            raise NotFound(f'plugin "{network.driver}" not found')

    def options_of(self, network: Network) -> Mapping[str, str]:
        return network.options

    async def choose_pools(
        self, existing: Iterable[Network], *, ipv4: bool = True, ipv6: bool = False
    ) -> tuple[Pool, ...]:
        number = next(number for number in count(1) if number not in self._chosen)
        pools = [Pool(subnet=f"10.{number}.0.0/16", gateway=f"10.{number}.0.1")] if ipv4 else []
        if ipv6:
            pools.append(Pool(subnet=f"fd09:{number}::/64", gateway=f"fd09:{number}::1"))
        self._chosen[number] = tuple(pools)
        await asyncio.sleep(0)
        return self._chosen[number]

    def release_pools(self, pools: Iterable[Pool]) -> None:
        asked = list(pools)
        self._chosen = {
            number: chosen for number, chosen in self._chosen.items() if not any(pool in asked for pool in chosen)
        }

    async def is_contested(self, network: Network) -> bool:
        return network.id in self.contested

    async def create(self, network: Network) -> None:
        self.networks[network.id] = network

    async def remove(self, network: Network) -> None:
        self.networks.pop(network.id, None)

    async def reserve(
        self, zone: str, name: str, asked: Mapping[str, Sequence[PortBinding]], plugs: Sequence[Plug]
    ) -> tuple[PublishedPort, ...]:
        taken = {(port.protocol, port.host_port) for ports in self._held.values() for port in ports}
        named = {int(binding.host_port) for bindings in asked.values() for binding in bindings if binding.host_port}
        held = []
        for key, bindings in asked.items():
            number, _, protocol = key.partition("/")
            for binding in bindings:
                host_port = int(binding.host_port or self._ephemeral(named))
                if (protocol, host_port) in taken:
                    raise Conflict(f"Bind for 0.0.0.0:{host_port} failed: port is already allocated")
                held.append(
                    PublishedPort(
                        port=int(number),
                        protocol=protocol,
                        host_ip=binding.host_ip or "0.0.0.0",
                        host_port=host_port,
                    )
                )
        self._held[zone] = tuple(held)
        return tuple(held)

    async def attach(self, netns: int, plugs: ZonePlugs) -> tuple[Endpoint, ...]:
        self.zones[plugs.zone] = plugs
        return tuple(
            msgspec.structs.replace(plug.endpoint, interface=f"eth{number}") for number, plug in enumerate(plugs.plugs)
        )

    async def connect(self, pid: int, plugs: ZonePlugs, new: Plug) -> Endpoint:
        self.zones[plugs.zone] = plugs
        return msgspec.structs.replace(new.endpoint, interface=f"eth{len(plugs.plugs) - 1}")

    async def disconnect(self, pid: int, plugs: ZonePlugs, old: Plug) -> None:
        self.zones[plugs.zone] = plugs

    async def rename(self, plugs: ZonePlugs) -> None:
        if plugs.zone in self.zones:
            self.zones[plugs.zone] = plugs

    async def detach(self, zone: str) -> None:
        self.zones.pop(zone, None)
        self._held.pop(zone, None)

    async def restore(
        self, networks: Sequence[Network], zones: Sequence[ZonePlugs]
    ) -> Mapping[str, Sequence[Endpoint]]:
        self.networks = {network.id: network for network in networks}
        self.zones = {plugs.zone: plugs for plugs in zones}
        return {}

    async def repair(self) -> None:
        pass

    async def mend(self, pid: int, plugs: ZonePlugs) -> tuple[Endpoint, ...]:
        lost = [plug.endpoint for plug in plugs.plugs if plug.endpoint.id in self.cut]
        self.cut.difference_update(endpoint.id for endpoint in lost)
        return tuple(lost)

    async def losses(self) -> AsyncIterator[str]:
        while True:
            yield await self.lost.get()

    async def close(self) -> None:
        pass

    def _ephemeral(self, named: Container[int]) -> int:
        self._port += 1
        while self._port in named:
            self._port += 1
        return self._port


class NoDownloads:
    """A world without servers."""

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[Download]:
        raise Unavailable(f'Get "{url}": connection refused')
        yield Download(0, _nothing())


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


class NoRegistry:
    """A registry that has nothing and takes one password: `right`."""

    async def fetch(
        self, repository: Repository, reference: str, login: Login | None = None, platform: Platform | None = None
    ) -> RemoteImage:
        raise NotFound(f"manifest for {repository}:{reference} not found")

    async def blob(self, repository: Repository, blob: Descriptor, login: Login | None = None) -> AsyncIterator[bytes]:
        raise NotFound(f"no such blob: {blob.digest}")
        yield b""

    def learn(self, repository: Repository, diff_id: str, blob: Descriptor) -> None:
        pass

    async def tags(self, repository: Repository, login: Login | None = None) -> tuple[str, ...]:
        raise NotFound(f"repository {repository} not found")

    async def inspect(self, repository: Repository, reference: str, login: Login | None = None) -> Distribution:
        raise NotFound(f"manifest for {repository}:{reference} not found")

    async def send_layer(
        self,
        repository: Repository,
        diff_id: str,
        blob: Callable[[], AsyncIterator[bytes]],
        login: Login | None = None,
    ) -> SentLayer:
        raise Unauthorized("authentication required")

    async def send_image(
        self,
        repository: Repository,
        reference: str,
        config: bytes,
        layers: Sequence[Descriptor],
        login: Login | None = None,
    ) -> Descriptor:
        raise Unauthorized("authentication required")

    async def check_login(self, login: Login) -> str:
        if login.password != "right":
            raise Unauthorized("incorrect username or password")
        return ""

    async def search(self, host: str, term: str, limit: int, login: Login | None = None) -> tuple[SearchResult, ...]:
        raise Unsupported(f"{host} has no search")
