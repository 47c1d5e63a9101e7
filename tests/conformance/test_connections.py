"""The log of connections on the real kernel: what it holds open, and for how long. Needs root."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from zonehost.drivers.connections import KernelConnections

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the kernel tells root alone")


def sockets() -> set[str]:
    """The sockets that this process has."""
    links = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(fd.readlink()))
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return {link for link in links if link.startswith("socket:")}


async def test_a_series_of_logs_shares_one_listener() -> None:
    connections, before = KernelConnections(), sockets()
    with connections.several():
        assert sockets() == before, "nobody listens yet"
        with connections.watch():
            (listener,) = sockets() - before
        with connections.watch():
            assert sockets() - before == {listener}
    await asyncio.get_running_loop().shutdown_default_executor()
    assert sockets() == before


async def test_a_log_alone_lets_go_of_its_listener() -> None:
    connections, before = KernelConnections(), sockets()
    with connections.watch():
        assert len(sockets() - before) == 1
    await asyncio.get_running_loop().shutdown_default_executor()
    assert sockets() == before
