"""What every wire test starts from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.wire.peer import Peer, connected


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    async with connected(tmp_path) as peer:
        yield peer
