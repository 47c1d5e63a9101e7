"""A world of namespaces and a networking driver in it, for each test its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.network.world import Joined, Place, Street, World, made_world
from zonehost.drivers.network.driver import KernelNetworking


@pytest.fixture
def world() -> Iterator[World]:
    with made_world() as made:
        yield made


@pytest.fixture
def run_root() -> Iterator[Path]:
    """A folder with a short name: a socket's path has 107 bytes (unix(7))."""
    folder = Path(tempfile.mkdtemp(prefix="zh-", dir="/run"))
    yield folder
    assert list(folder.iterdir()) == []
    folder.rmdir()


@pytest.fixture
async def net(world: World, run_root: Path) -> AsyncIterator[KernelNetworking]:
    """The driver under test; at the end it must leave nothing on the host."""
    driver = KernelNetworking(f"test-{secrets.token_hex(3)}", run_root)
    await driver.restore((), ())
    yield driver
    for zone in list(driver.attached):
        await driver.detach(zone)
    await driver.close()
    links = {link["ifname"] for link in json.loads(world.host.run("ip -json link show"))}
    assert links <= {"lo", "up0", "sit0", "ip6tnl0", "tunl0"}
    assert "zonehost" not in world.host.run("nft list ruleset")


@pytest.fixture
def street() -> Iterator[Street]:
    """The link and its subnets have names of their own: other tests run beside this one."""
    number, name = secrets.randbelow(4096), f"zo{secrets.token_hex(4)}"
    ends = [(f"10.{224 + number // 256}.{number % 256}.{end}", f"fd00:243:{number:x}::{end}") for end in (1, 2)]
    with closing(Place()) as outside, closing(Joined("self")) as host:
        subprocess.run(
            ["ip", "link", "add", name, "type", "veth", "peer", "name", "up0", "netns", str(outside.process.pid)],
            check=True,
        )
        for place, link, (ipv4, ipv6) in ((host, name, ends[0]), (outside, "up0", ends[1])):
            place.run(f"ip addr add {ipv4}/24 dev {link} && ip addr add {ipv6}/64 dev {link} nodad")
            place.run(f"ip link set {link} up")
        yield Street(host, outside, *ends[0], *ends[1])
