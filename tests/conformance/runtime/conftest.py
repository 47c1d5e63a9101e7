"""Fixtures of the runtime's suite; it needs root."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.runtime.rig import Rig, make_busybox_root, open_rig


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session")
def busybox_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_busybox_root(tmp_path_factory.mktemp("busybox") / "tree")


@pytest.fixture
async def rig(tmp_path: Path, busybox_root: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path, busybox_root) as opened:
        yield opened
