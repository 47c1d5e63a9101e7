"""A small world of network namespaces: a host, a machine outside of it, and zones that only hold a namespace open.

Owns making and unmaking them. The test's own thread is in the host's namespace meanwhile, so the driver under test
takes it for the host, and nothing of the real one is touched.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import msgspec

from zonehost.domain.host_config import PortBinding
from zonehost.domain.identity import new_id
from zonehost.domain.ipam import Leases
from zonehost.domain.network import Endpoint, Network, Pool, PublishedPort
from zonehost.linux.netlink import entered
from zonehost.ports.network import Networking, Plug, ZonePlugs

OUTSIDE = "198.51.100.2"
HOST = "198.51.100.1"
OUTSIDE6 = "2001:db8:51::2"
HOST6 = "2001:db8:51::1"
SECONDS = 30.0
"""How long a test waits for what must come, on a machine that is busy with others."""
BRIEFLY = 2.0
"""How long for what must not."""


class Place:
    """A network namespace, held open by a process that sleeps."""

    def __init__(self) -> None:
        self.servers: list[socket.socket] = []
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        own, its = Path("/proc/thread-self/ns/net"), Path(f"/proc/{self.process.pid}/ns/net")
        while its.readlink() == own.readlink():
            os.sched_yield()
        self.netns = os.open(its, os.O_RDONLY | os.O_CLOEXEC)

    def run(self, command: str) -> str:
        """The output of a command inside."""
        done = subprocess.run(
            ["nsenter", f"--net=/proc/self/fd/{self.netns}", "sh", "-c", command],
            capture_output=True,
            text=True,
            pass_fds=[self.netns],
            timeout=60,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def open_socket(
        self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0
    ) -> socket.socket:
        with entered(self.netns):
            made = socket.socket(family, kind, protocol)
        made.settimeout(SECONDS)
        return made

    def serve(self, port: int, *, address: str = "0.0.0.0", kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A bound socket inside, listening if it is of the kind that listens."""
        server = self.open_socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        if kind == socket.SOCK_STREAM:
            server.listen()
        self.servers.append(server)
        return server

    def reach(self, address: str, port: int, seconds: float = SECONDS) -> socket.socket:
        """A TCP connection from here.

        Raises:
            OSError: refused, unreachable or timed out.
        """
        client = self.open_socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        client.settimeout(seconds)
        try:
            client.connect((address, port))
        except OSError:
            client.close()
            raise
        return client

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.end()
        for server in self.servers:
            server.close()
        os.close(self.netns)


class Joined(Place):
    """The network namespace of a process that is there already, such as a container's first."""

    def __init__(self, pid: int | str) -> None:
        self.servers = []
        self.netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def end(self) -> None:
        """The process is somebody else's."""


@dataclass(frozen=True, slots=True)
class Street:
    """This host, and another one on a link between them, with the addresses of both."""

    host: Place
    outside: Place
    host4: str
    host6: str
    outside4: str
    outside6: str


@dataclass
class Zone:
    """A namespace with the records of a container."""

    place: Place
    id: str
    plugs: ZonePlugs


@dataclass
class World:
    """The host, the outside, and what was made in them."""

    host: Place
    outside: Place
    stack: ExitStack
    networks: list[Network] = field(default_factory=list)
    leases: dict[str, Leases] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def place(self) -> Place:
        made = Place()
        self.stack.callback(made.close)
        return made

    async def network(self, net: Networking, *pools: Pool, **fields: object) -> Network:
        chosen = pools or await net.choose_pools(self.networks, ipv6=bool(fields.get("ipv6")))
        record = Network(
            id=new_id(), name=f"net{next(self.numbers)}", driver="bridge", created=0, pools=chosen, predefined=True
        )
        record = msgspec.structs.replace(record, **fields)
        await net.create(record)
        self.networks.append(record)
        self.leases[record.id] = Leases(record)
        return record

    def plug(self, network: Network, *names: str, **fields: object) -> Plug:
        endpoint = msgspec.structs.replace(Endpoint(network=network.id, id=new_id()), **fields)
        return Plug(network, self.leases[network.id].lease(endpoint), names)

    async def zone(
        self,
        net: Networking,
        *networks: Network,
        ports: dict[str, tuple[PortBinding, ...]] | None = None,
        names: tuple[str, ...] = (),
        servers: tuple[str, ...] = (),
        **fields: object,
    ) -> Zone:
        """A zone in the networks, as the engine would make it."""
        plugs = tuple(self.plug(network, *names, **fields) for network in networks)
        identity = new_id()
        held: tuple[PublishedPort, ...] = await net.reserve(identity, "web", ports or {}, plugs)
        place = self.place()
        endpoints = await net.attach(place.netns, ZonePlugs(identity, plugs, held, servers))
        named = tuple(Plug(plug.network, endpoint, plug.names) for plug, endpoint in zip(plugs, endpoints, strict=True))
        return Zone(place, identity, ZonePlugs(identity, named, held, servers, place.process.pid))


def address(zone: Zone, position: int = 0) -> str:
    return zone.plugs.plugs[position].endpoint.ipv4


def binding(port: str = "", ip: str = "") -> tuple[PortBinding, ...]:
    return (PortBinding(host_ip=ip, host_port=port),)


@contextmanager
def made_world() -> Iterator[World]:
    """A world with the outside reachable from the host, and the test's thread in the host."""
    with ExitStack() as stack:
        host, outside = Place(), Place()
        stack.callback(outside.close)
        stack.callback(host.close)
        host.run(
            f"ip link set lo up && ip link add up0 type veth peer name up0 netns {outside.process.pid}"
            f" && ip addr add {HOST}/24 dev up0 && ip addr add {HOST6}/64 dev up0 nodad && ip link set up0 up"
        )
        outside.run(
            f"ip link set lo up && ip addr add {OUTSIDE}/24 dev up0 && ip addr add {OUTSIDE6}/64 dev up0 nodad"
            " && ip link set up0 up"
        )
        host.run(f"ip route add default via {OUTSIDE} && ip -6 route add default via {OUTSIDE6}")
        stack.enter_context(entered(host.netns))
        yield World(host, outside, stack)
