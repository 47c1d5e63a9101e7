"""The numbers that a caller sees."""

from __future__ import annotations

import pytest

from zonehost.drivers.supervisor.quotas import Quota
from zonehost.drivers.supervisor.sizes import bounded
from zonehost.linux.statfs import BTRFS, Statfs

POOL = Statfs(BTRFS, 4096, 1000, 500, 400, 0, 0, bytes(8), 255, 4096, 0)


@pytest.mark.parametrize(
    ("limit", "used", "shown"),
    [
        (100, 0, (100, 100, 100)),
        (100, 30, (100, 70, 70)),
        (100, 100, (100, 0, 0)),
        (100, 130, (100, 0, 0)),
        (450, 0, (450, 450, 400)),
        (900, 100, (900, 500, 400)),
        (5000, 0, (1000, 500, 400)),
    ],
    ids=str,
)
def test_limit_and_pool_both_bound(limit: int, used: int, shown: tuple[int, int, int]) -> None:
    found = bounded(POOL, Quota(limit * 4096, used * 4096))
    assert (found.blocks, found.free, found.available) == shown
    assert found._replace(blocks=1000, free=500, available=400) == POOL


def test_parts_of_a_block_are_none() -> None:
    assert bounded(POOL, Quota(3 * 4096 + 4095, 4097)).blocks == 3
    assert bounded(POOL, Quota(3 * 4096 + 4095, 4097)).free == 2
