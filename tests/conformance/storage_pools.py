"""The storage drivers that the conformance suite runs on, each on a fresh pool of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zonehost.drivers.storage.btrfs.blank import Blank
from zonehost.drivers.storage.btrfs.datasets import BtrfsStorage
from zonehost.drivers.storage.btrfs.pool import SMALLEST, Pool, open_pool
from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes
from zonehost.drivers.storage.directory import DirectoryStorage
from zonehost.linux import mounts
from zonehost.ports.storage import Storage


@contextmanager
def directory(root: Path) -> Iterator[Storage]:
    """Plain directories."""
    yield DirectoryStorage(root)


@contextmanager
def btrfs(root: Path) -> Iterator[Storage]:
    """A managed pool, mounted in the test's own mount namespace."""
    with open_test_pool(root) as pool:
        subvolumes = Subvolumes(pool.root, pool.descriptor)
        yield BtrfsStorage(pool, subvolumes, Blank(pool.root, pool.descriptor, subvolumes))


@contextmanager
def open_test_pool(root: Path) -> Iterator[Pool]:
    """A managed pool of the smallest size."""
    pool = open_pool(root, SMALLEST)
    with ExitStack() as undo:
        undo.callback(mounts.detach, os.fspath(pool.root))
        undo.callback(os.close, pool.descriptor)
        yield pool
