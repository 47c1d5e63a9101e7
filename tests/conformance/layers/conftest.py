"""A pool of layers on a fork server, for the suites of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from zonehost.drivers.layers.pool import LayerPool
from zonehost.linux.forkserver import ForkServer


@pytest.fixture
async def forks() -> AsyncIterator[ForkServer]:
    server = ForkServer(["zonehost.drivers.layers.jobs"])
    yield server
    await server.close()


@pytest.fixture
async def pool(forks: ForkServer, tmp_path: Path) -> LayerPool:
    pool = LayerPool(str(tmp_path / "layers"), forks)
    await pool.survey()
    return pool
