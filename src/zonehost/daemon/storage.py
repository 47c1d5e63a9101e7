"""Which storage an instance has: a pool where the machine can have one, plain directories else."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from zonehost.daemon.configuration import Configuration
from zonehost.drivers.machine import tool_version
from zonehost.drivers.storage.btrfs.administration import PoolAdministration
from zonehost.drivers.storage.btrfs.datasets import BtrfsStorage
from zonehost.drivers.storage.btrfs.pool import enter_private_mounts, open_pool, pool_file
from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes
from zonehost.drivers.storage.directory import DirectoryStorage
from zonehost.linux.btrfs import is_btrfs
from zonehost.ports.pool import PoolAdmin
from zonehost.ports.storage import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChosenStorage:
    """The driver, what else its pool can do (None without one), and the folder that layers are kept in too."""

    storage: Storage
    pool: PoolAdmin | None
    root: Path


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
        return ChosenStorage(DirectoryStorage(data_root), None, data_root)
    enter_private_mounts()
    pool = open_pool(data_root, configuration.pool_size)
    subvolumes = Subvolumes(pool.root, pool.descriptor)
    return ChosenStorage(BtrfsStorage(pool, subvolumes), PoolAdministration(pool), pool.root)


def _possible(data_root: Path) -> str:
    if pool_file(data_root).exists():
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
