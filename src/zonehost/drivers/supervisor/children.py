"""One call that makes a subvolume, answered: refused where the delegated volume that it is for has all that it may.

Else the kernel does it. It is done after the answer, so of several calls at once some may go through that should not;
the daemon destroys what is too many (`drivers.storage.btrfs.delegation`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from zonehost.drivers.supervisor.caller import Mounts, open_file, process_of
from zonehost.drivers.supervisor.calls import Waiting
from zonehost.drivers.supervisor.quotas import Quotas
from zonehost.linux import btrfs, seccomp_notify, statfs
from zonehost.ports.supervisor import CHILDREN, VOLUMES


class Children:
    """Answers calls, several at the same time. The pool's folder is open at `pool`."""

    def __init__(self, pool: int, quotas: Quotas, mounts: Mounts) -> None:
        self._pool = pool
        self._quotas = quotas
        self._root = btrfs.subvolume_info(pool).id
        self._mounts = mounts

    def answer(self, waiting: Waiting) -> None:
        """Answer the call; what cannot be found out is left to the kernel."""
        full = False
        try:
            full = self._is_full(waiting)
        except OSError:
            return  # the kernel will say what
        finally:
            if full:
                seccomp_notify.fail(waiting.listener, waiting.notification.id, errno.EDQUOT)
            else:
                seccomp_notify.go_on(waiting.listener, waiting.notification.id)

    def _is_full(self, waiting: Waiting) -> bool:
        with process_of(waiting) as process:
            folder = open_file(self._mounts, process, waiting.notification.arguments[0])
        try:
            status = statfs.of_file(folder)
        finally:
            os.close(folder)
        if status.type != statfs.BTRFS:
            return False
        volume, name = self._dataset(self._quotas.subvolume(status.fsid))
        most = int(os.getxattr(f"/proc/self/fd/{self._pool}/{VOLUMES}/{name}", CHILDREN))
        return sum(1 for _ in self._inside(volume)) >= most

    def _dataset(self, subvolume: int) -> tuple[int, str]:
        """The subvolume directly in the pool that this one is, or is in, and its name."""
        parent, name = btrfs.place_of(self._pool, subvolume)
        while parent != self._root:
            subvolume = parent
            parent, name = btrfs.place_of(self._pool, subvolume)
        return subvolume, name

    def _inside(self, subvolume: int) -> Iterator[int]:
        for child in btrfs.subvolumes_in(self._pool, subvolume):
            yield child
            yield from self._inside(child)
