"""One call of statfs(2), answered: with the limit of the dataset that the file is on, or else by the kernel itself.

The answer is for the eye: nothing is allowed or forbidden by it. So a caller that changes the path meanwhile deceives
only itself, and whatever goes wrong here is left to the kernel, which finds the right error too.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Final

from zonehost.drivers.supervisor.caller import Mounts, open_file, open_path, process_of
from zonehost.drivers.supervisor.calls import Waiting
from zonehost.drivers.supervisor.quotas import Quota, Quotas
from zonehost.linux import process_memory, seccomp_notify, statfs
from zonehost.linux.file_permissions import permissions_of
from zonehost.linux.statfs import Statfs

_KINDS: Final = (statfs.BTRFS, statfs.OVERLAY)


class Sizes:
    """Answers calls, several at the same time."""

    def __init__(self, quotas: Quotas, mounts: Mounts) -> None:
        self._quotas = quotas
        self._mounts = mounts

    def answer(self, waiting: Waiting) -> None:
        """Answer the call."""
        answered = False
        try:
            answered = self._write(waiting)
        except OSError:
            return  # the kernel will say what
        finally:
            respond = seccomp_notify.succeed if answered else seccomp_notify.go_on
            respond(waiting.listener, waiting.notification.id)

    def _write(self, waiting: Waiting) -> bool:
        """Give the caller the numbers; False if they are the kernel's own."""
        call = waiting.notification
        kind = statfs.CALLS[call.architecture][call.number]
        address = call.arguments[2 if kind.size else 1]
        if kind.size and call.arguments[1] != kind.size:
            return False
        with ExitStack() as undo:
            process = undo.enter_context(process_of(waiting))
            file = self._open(process, call.arguments[0], by_path=kind.by_path)
            undo.callback(os.close, file)
            status = statfs.of_file(file)
            quota = self._quotas.of(status.fsid) if status.type in _KINDS else None
            text = kind.form(bounded(status, quota)) if quota is not None else None
            if text is None:
                return False
            process_memory.write(process, address, text)
        return True

    def _open(self, process: int, argument: int, *, by_path: bool) -> int:
        if not by_path:
            return open_file(self._mounts, process, argument)
        path = process_memory.read_path(process, argument)
        with permissions_of(process):
            return open_path(self._mounts, process, path)


def bounded(status: Statfs, quota: Quota) -> Statfs:
    """What the file system says, with no more in it than the quota, as ext4 does it (ext4_statfs_project())."""
    limit, left = quota.limit // status.block_size, quota.left // status.block_size
    return status._replace(
        blocks=min(status.blocks, limit), free=min(status.free, left), available=min(status.available, left)
    )
