"""Which storage an instance has: a pool where the machine can have one, plain directories else."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from zonehost.daemon.configuration import Configuration
from zonehost.drivers.machine import tool_version
from zonehost.drivers.storage.btrfs.administration import PoolAdministration
from zonehost.drivers.storage.btrfs.blank import Blank
from zonehost.drivers.storage.btrfs.datasets import BtrfsStorage
from zonehost.drivers.storage.btrfs.pool import Pool, enter_private_mounts, open_pool, pool_file
from zonehost.drivers.storage.btrfs.snapshots import BtrfsSnapshots
from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes
from zonehost.drivers.storage.directory import DirectoryStorage
from zonehost.linux.btrfs import is_btrfs
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.pool import PoolAdmin
from zonehost.ports.snapshots import Snapshots
from zonehost.ports.storage import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChosenStorage:
    """The driver, its pool and what is in it (None without one), and the folder that layers are kept in too."""

    storage: Storage
    root: Path
    pool: Pool | None = None
    subvolumes: Subvolumes | None = None
    blank: Blank | None = None

    @property
    def admin(self) -> PoolAdmin | None:
        """What an operator does with the pool."""
        return PoolAdministration(self.pool) if self.pool is not None else None

    def snapshots(self, forks: ForkServer) -> Snapshots | None:
        """Snapshots and clones; long work is done by jobs of the fork server."""
        if self.pool is None or self.subvolumes is None or self.blank is None:
            return None
        return BtrfsSnapshots(self.pool, self.subvolumes, self.blank, forks)


def choose_storage(configuration: Configuration, data_root: Path) -> ChosenStorage:
    """The storage that is asked for; `auto` is what the data root has already, else a pool if there can be one.

    Call before any thread is started.

    Raises:
        SystemFailure: a pool that is asked for, or that is there, cannot be opened.
    """
    driver: str = configuration.storage_driver
    if driver == "auto":
        driver = _possible(data_root)
    if driver == "directory":
        return ChosenStorage(DirectoryStorage(data_root), data_root)
    enter_private_mounts()
    pool = open_pool(data_root, configuration.pool_size)
    subvolumes = Subvolumes(pool.root, pool.descriptor)
    blank = Blank(pool.root, pool.descriptor, subvolumes)
    return ChosenStorage(BtrfsStorage(pool, subvolumes, blank), pool.root, pool, subvolumes, blank)


def _possible(data_root: Path) -> str:
    if pool_file(data_root).exists() or (data_root / "pool").exists():
        return "btrfs"
    if (data_root / "zones").is_dir():
        return "directory"
    missing = _missing(data_root)
    if missing:
        log.warning("zones are kept in plain directories, without quotas and snapshots: %s", missing)
        return "directory"
    return "btrfs"


def _missing(data_root: Path) -> str:
    """What keeps this machine from having a pool, with the cure; empty if nothing does."""
    if "btrfs" not in Path("/proc/filesystems").read_text().split():
        tool_version("modprobe", "--quiet", "btrfs")
        if "btrfs" not in Path("/proc/filesystems").read_text().split():
            return "the kernel has no btrfs"
    if is_btrfs(data_root):
        return ""
    if shutil.which("mkfs.btrfs") is None:
        return "mkfs.btrfs is missing: apt install btrfs-progs"
    return "" if Path("/dev/loop-control").exists() else "the kernel has no loop devices: modprobe loop"
