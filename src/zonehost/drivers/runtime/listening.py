"""Putting a job, and all that it will run, under a filter that has calls answered: statfs(2), and new subvolumes.

See seccomp_unotify(2). The filter is beside the zone's own and changes nothing of what that allows.
"""

from __future__ import annotations

import errno

from zonehost.drivers.runtime.report import say
from zonehost.linux import btrfs_ioctls, seccomp_notify, statfs


def listen_to_calls(report: int) -> int | None:
    """Load the filter and send its listener to the daemon; None where another such filter forbids it.

    Raises:
        OSError: the filter cannot be loaded.
    """
    try:
        listener = seccomp_notify.listen(statfs.CALLS, btrfs_ioctls.CALLS)
    except OSError as error:
        if error.errno != errno.EBUSY:  # whoever runs the daemon has one: df(1) shows the pool there
            raise
        return None
    say(report, "listener", "", listener)
    return listener
