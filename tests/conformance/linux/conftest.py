"""A fork server that has the jobs of these tests ready."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from zonehost.linux.forkserver import ForkServer


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ForkServer]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    running = ForkServer(["forkserver_jobs", "stream_jobs"])
    running.start()
    yield running
    await running.close()
