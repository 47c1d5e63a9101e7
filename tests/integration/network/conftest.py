"""A world of namespaces and a networking driver in it, for each test its own."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.network.world import World, made_world
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
