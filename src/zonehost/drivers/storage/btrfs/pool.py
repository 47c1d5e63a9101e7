"""The pool: the btrfs file system of one instance, found or made.

A data root that is on btrfs is the pool itself. Any other gets a managed file, sparse, behind one loop device, mounted
in the daemon's own mount namespace only: zones inherit it, the host does not see it. What a dataset is, is not known
here.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zonehost.errors import InvalidParameter, SystemFailure
from zonehost.linux import btrfs, loop, mounts, namespaces, proc_file

SMALLEST: Final = 256 << 20
_SHARE: Final = 0.8
_BLOCK: Final = 4096
_DELETABLE: Final = "user_subvol_rm_allowed"
"""With this option of btrfs, who may remove a folder may destroy a subvolume (btrfs(5)): root in a zone, its own."""
_OPTIONS: Final = (("ssd", None), ("discard", "async"), (_DELETABLE, None))


@dataclass(frozen=True, slots=True)
class Pool:
    """An open pool. `device` and `backing` are None where the data root itself is btrfs."""

    root: Path
    descriptor: int
    device: str | None
    backing: Path | None

    def size(self) -> tuple[int, int]:
        """Bytes in all, and bytes that are free."""
        status = os.fstatvfs(self.descriptor)
        return status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize

    @property
    def delegates(self) -> bool:
        """Whether a zone can destroy the subvolumes that it made; on a host's own btrfs its mount decides."""
        told = Path(f"/proc/self/fdinfo/{self.descriptor}").read_text()
        mount = told.partition("mnt_id:")[2].split()[0]
        for line in proc_file.lines("/proc/self/mountinfo"):
            if line.split(" ", 1)[0] == mount:
                return _DELETABLE in line.rpartition(" ")[2].split(",")
        return False

    def grow(self, size: int) -> None:
        """Make a managed pool `size` bytes large, while it is in use.

        Raises:
            InvalidParameter: it is larger than that, or it is not a managed file.
            SystemFailure: the kernel refused.
        """
        if self.backing is None or self.device is None:
            raise InvalidParameter("the pool is the host's own btrfs: grow that file system instead")
        now = self.backing.stat().st_size
        if size < now:
            raise InvalidParameter(f"the pool has {now} bytes, and cannot become smaller ({size})")
        try:
            os.truncate(self.backing, size // _BLOCK * _BLOCK)
            loop.refresh_size(self.device)
            btrfs.resize(self.descriptor, "max")
        except OSError as error:
            raise SystemFailure(f"the pool {self.backing} cannot grow: {error}") from error


def pool_file(data_root: Path) -> Path:
    """Where the managed file of a data root is, whether it exists or not."""
    return data_root / "pool.btrfs"


def open_pool(data_root: Path, size: int = 0) -> Pool:
    """The pool of a data root, made at its first use with `size` bytes (0: a share of what is free).

    The process must have a mount namespace of its own when the data root is not btrfs.

    Raises:
        SystemFailure: it cannot be made, or what is there is damaged; says what to do.
    """
    root = data_root / "pool"
    data_root.mkdir(parents=True, exist_ok=True)
    try:
        if btrfs.is_btrfs(data_root):
            root.mkdir(exist_ok=True, mode=0o711)
            return _opened(root, None, None)
        backing = pool_file(data_root)
        if not backing.exists():
            if root.exists():
                raise SystemFailure(
                    f"the pool's file {backing} is missing: put it back, or remove {root} to begin anew"
                )
            _make(backing, size or _default_size(data_root))
        root.mkdir(exist_ok=True, mode=0o711)
        return _opened(root, _mounted(backing, root), backing)
    except OSError as error:
        raise SystemFailure(f"the pool of {data_root} cannot be opened: {error}") from error


def _opened(root: Path, device: str | None, backing: Path | None) -> Pool:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    # A host's own btrfs may have the older quota groups on: those account as well, only slower.
    with contextlib.suppress(FileExistsError):
        btrfs.enable_simple_quotas(descriptor)
    return Pool(root, descriptor, device, backing)


def _default_size(data_root: Path) -> int:
    status = os.statvfs(data_root)
    return max(SMALLEST, int(status.f_bavail * status.f_frsize * _SHARE) // _BLOCK * _BLOCK)


def _make(backing: Path, size: int) -> None:
    """A new pool file; it has its name only once it is whole."""
    if size < SMALLEST:
        raise SystemFailure(f"a pool of {size} bytes is too small: it takes at least {SMALLEST}")
    draft = backing.with_suffix(".making")
    draft.unlink(missing_ok=True)
    with draft.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        os.truncate(file.fileno(), size)
    made = subprocess.run(
        ["mkfs.btrfs", "--quiet", "--data", "single", "--metadata", "single", os.fspath(draft)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise SystemFailure(f"the pool cannot be made: {made.stderr.strip()}")
    descriptor = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(backing)


def _mounted(backing: Path, root: Path) -> str:
    """Mount the pool's file on the root, by the loop device that it has, if one is left of an earlier daemon."""
    held = -1
    try:
        devices = loop.attached(backing)
        if devices:
            device = devices[0]
        else:
            device, held = loop.attach(backing)
        options = [("source", device), *_OPTIONS]
        mount = mounts.new("btrfs", options, attributes=mounts.NODEV)
        try:
            mounts.place(mount, os.fspath(root))
        finally:
            os.close(mount)
    finally:
        if held >= 0:
            os.close(held)
    return device


def enter_private_mounts() -> None:
    """Give this process a mount namespace that hears of the host's mounts and tells it nothing.

    Call before any thread is started.
    """
    namespaces.unshare(namespaces.NEWNS)
    mounts.propagate("/", mounts.SLAVE | mounts.REC)
