"""A host on fakes, with one image in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.host import World, running_world
from zonehost.domain.config import Config


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A started host that has the image `tool`."""
    async with running_world() as made:
        await made.add_image("tool", Config(cmd=("sleep",), env=("PATH=/bin",)))
        yield made
